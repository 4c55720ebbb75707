"""What customers bought and when, as arrays: the form in which everything here is reckoned, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Articles:
    """The articles that can be recommended; an article's number is its place here.

    Args:
        codes: stock codes, sorted by code points.
        texts: of each one its text; None where it never had one.
    """

    codes: tuple[str, ...]
    texts: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Histories:
    """Everything that some customers did with the catalogue's articles; event `e` is a line of an order.

    The events of customer `c` are `starts[c]:starts[c + 1]`, in order of day, order and article. Lines of one order and
    article are one event.

    Args:
        customers: ids, n of them.
        countries: of each customer's newest order, n of them.
        starts: int64[n + 1].
        article: int32[events], numbers in `Articles`.
        day: int32[events], days since 1970-01-01 in UTC.
        order: int32[events], numbers a customer's orders from 0 on, in order of time.
        units: int32[events], pieces; below zero for a cancellation.
    """

    customers: tuple[str, ...]
    countries: tuple[str, ...]
    starts: Longs
    article: Ints
    day: Ints
    order: Ints
    units: Ints

    def __len__(self) -> int:
        return len(self.customers)

    @cached_property
    def row(self) -> Longs:
        """int64[events]: the number of each event's customer in this block."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def where(self, keep: Bools) -> Histories:
        """The same customers with some of their events.

        Args:
            keep: bool[events].
        """
        counts = np.bincount(self.row[keep], minlength=len(self))
        return replace(
            self,
            starts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            article=self.article[keep],
            day=self.day[keep],
            order=self.order[keep],
            units=self.units[keep],
        )

    def before(self, day: int) -> Histories:
        """The same customers as they were at the beginning of a day."""
        return self.where(self.day < day)

    def between(self, first: int, end: int) -> Histories:
        """The same customers with what they did from `first` on, up to the day before `end`."""
        return self.where((self.day >= first) & (self.day < end))

    def sales(self) -> Histories:
        """Without cancellations, also of what was cancelled: what a test asks for."""
        return self.where(self.units > 0)

    def of(self, rows: Sequence[int]) -> Histories:
        """Some of the customers, in this order, with all of their events."""
        pieces = [np.arange(self.starts[row], self.starts[row + 1]) for row in rows]
        chosen = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
        return Histories(
            tuple(self.customers[row] for row in rows),
            tuple(self.countries[row] for row in rows),
            np.concatenate(([0], np.cumsum([len(piece) for piece in pieces]))).astype(np.int64),
            self.article[chosen],
            self.day[chosen],
            self.order[chosen],
            self.units[chosen],
        )


class Addable(Protocol):
    """What blocks give that is summed over all of them."""

    def __add__(self: T, other: T) -> T: ...


S = TypeVar("S", bound=Addable)


class Blocks(Protocol):
    """Histories of all customers, block by block, wherever they lie: no step holds all of them at once.

    A customer is in one block, whole. Which customers share a block and in which order blocks come must not show in any
    result, up to the last bits of floating-point sums.
    """

    def map(self, work: Callable[[Histories], T]) -> Iterator[T]:
        """Do the same work for each block, perhaps at once and elsewhere; `work` and what it gives can be pickled."""
        ...

    def sum(self, work: Callable[[Histories], S]) -> S:
        """Add up what the work gives for all blocks.

        Raises:
            ValueError: there is no block.
        """
        ...


class InProcess:
    """Blocks that lie in this process, for tests and for what is small."""

    def __init__(self, blocks: Iterable[Histories]) -> None:
        self._blocks = list(blocks)

    def map(self, work: Callable[[Histories], T]) -> Iterator[T]:
        """As `Blocks.map`."""
        return map(work, self._blocks)

    def sum(self, work: Callable[[Histories], S]) -> S:
        """As `Blocks.sum`."""
        if not self._blocks:
            raise ValueError("there is no block")
        return reduce(lambda one, other: one + other, map(work, self._blocks))
