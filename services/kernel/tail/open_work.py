"""The highest position before which nothing is open."""

from __future__ import annotations

from collections import OrderedDict

from services.kernel.tail.prefix import Mark


class OpenWork:
    """Keeps the pieces of a file that are not durable yet and says how far everything is.

    A piece is named by the offset of its first line. Pieces are opened in the order of the file and end in any
    order; pieces may lie inside one another (a bad line between two lines of one order).
    """

    def __init__(self, start: Mark) -> None:
        self._open: OrderedDict[int, Mark] = OrderedDict()
        self._reached = start

    def __len__(self) -> int:
        """How many pieces are open."""
        return len(self._open)

    @property
    def position(self) -> Mark:
        """Everything before it is durable; it never moves back."""
        if self._open:
            return next(iter(self._open.values()))
        return self._reached

    def begin(self, mark: Mark) -> None:
        """Opens the piece that starts here; the caller has opened every earlier one."""
        self._open[mark.offset] = mark
        self._reached = mark

    def reach(self, mark: Mark) -> None:
        """Says that every line before this mark is in a piece that was opened, or needs none."""
        self._reached = mark

    def end(self, offset: int) -> None:
        """Closes the piece that started at this offset: its effect is durable."""
        del self._open[offset]
