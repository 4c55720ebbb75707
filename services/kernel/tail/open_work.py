"""The highest position before which nothing is open."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class HasOffset(Protocol):
    """A position in a file, with whatever proves that it is still the same file."""

    @property
    def offset(self) -> int:
        """Bytes before the position."""
        ...


P = TypeVar("P", bound=HasOffset)


class OpenWork(Generic[P]):
    """Keeps the pieces of a file that are not durable yet and says how far everything is.

    A piece is named by the offset of its first line. Pieces are opened in the order of the file and end in any
    order; pieces may lie inside one another (a bad line between two lines of one order).
    """

    def __init__(self, start: P) -> None:
        self._open: OrderedDict[int, P] = OrderedDict()
        self._reached = start

    def __len__(self) -> int:
        """How many pieces are open."""
        return len(self._open)

    @property
    def position(self) -> P:
        """Everything before it is durable; it never moves back."""
        if self._open:
            return next(iter(self._open.values()))
        return self._reached

    def begin(self, mark: P) -> None:
        """Opens the piece that starts here; the caller has opened every earlier one."""
        self._open[mark.offset] = mark
        self._reached = mark

    def reach(self, mark: P) -> None:
        """Says that every line before this mark is in a piece that was opened, or needs none."""
        self._reached = mark

    def end(self, offset: int) -> None:
        """Closes the piece that started at this offset: its effect is durable."""
        del self._open[offset]
