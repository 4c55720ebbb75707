"""Who is asked for at a cut-off, what is known of everybody, and what those who are asked for bought afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.evaluation.handover import Question
from spark_jobs.recommendations.ranking.histories import Blocks, Histories, Longs, S
from spark_jobs.recommendations.ranking.learning import lot
from spark_jobs.recommendations.ranking.measures import Truth
from spark_jobs.recommendations.ranking.netting import purchases

T = TypeVar("T")
MOST_ASKED = 100_000
"""Customers who are asked for at a cut-off; of more, those are taken whose ids draw the lowest lots."""


@dataclass(frozen=True)
class Hidden(Generic[T]):
    """Work that sees nothing from a day on: no method can be trained with what it is measured by."""

    work: Callable[[Histories], T]
    at: int

    def __call__(self, block: Histories) -> T:
        return self.work(known_at(block, self.at))


def known_at(block: Histories, at: int) -> Histories:
    """The block when the day begins; customers who had not come yet are not in it."""
    before = block.before(at)
    rows = np.flatnonzero(np.diff(before.starts) > 0)
    return before if len(rows) == len(before) else before.of([int(row) for row in rows])


class Before:
    """Blocks as they were when a day began."""

    def __init__(self, blocks: Blocks, at: int) -> None:
        self._blocks = blocks
        self._at = at

    def map(self, work: Callable[[Histories], T]) -> Iterator[T]:
        """As `Blocks.map`."""
        return self._blocks.map(Hidden(work, self._at))

    def sum(self, work: Callable[[Histories], S]) -> S:
        """As `Blocks.sum`."""
        return self._blocks.sum(Hidden(work, self._at))


@dataclass(frozen=True)
class Asking:
    """Who is asked for: customers with an order before the day who bought, before the end, an article known by then.

    Args:
        at: the cut-off, days since 1970-01-01.
        end: exclusive.
        sold: bool[articles]: known by the cut-off.
        share: of the customers that are asked for, those whose lot is below it.
    """

    at: int
    end: int
    sold: NDArray[np.bool_]
    share: float = 1.0

    def truth(self, block: Histories) -> Truth:
        """What each of the block's customers bought afterwards, of the known articles; nothing for who is not asked."""
        later = Truth.of(block.between(self.at, self.end).sales())
        known = np.diff(block.before(self.at).sales().starts) > 0
        if self.share < 1:
            known &= np.array([lot(name) < self.share for name in block.customers], np.bool_)
        return later.where(self.sold[later.article] & known[later.row])

    def rows(self, block: Histories) -> list[int]:
        """The rows of the customers who are asked for."""
        return [int(row) for row in np.flatnonzero(self.truth(block).sizes)]


@dataclass(frozen=True)
class Part:
    """One block's part of a question.

    Args:
        bought: purchases by the cut-off, of customers who had come.
        asked: names of those who are asked for.
        seen, truth: of these.
    """

    bought: Histories
    asked: tuple[str, ...]
    seen: Truth
    truth: Truth


@dataclass(frozen=True)
class PartOf:
    """`Part` as work for blocks."""

    asking: Asking

    def __call__(self, block: Histories) -> Part:
        rows, at = self.asking.rows(block), self.asking.at
        known = block.of(rows)
        return Part(
            purchases(known_at(block, at), at),
            known.customers,
            Truth.of(known.before(at).sales()),
            self.asking.truth(known),
        )


@dataclass(frozen=True)
class Count:
    """How many customers are asked for; adds up."""

    asked: int

    def __add__(self, other: Count) -> Count:
        return Count(self.asked + other.asked)


@dataclass(frozen=True)
class CountOf:
    """`Count` as work for blocks."""

    asking: Asking

    def __call__(self, block: Histories) -> Count:
        return Count(len(self.asking.rows(block)))


def bounded(blocks: Blocks, asking: Asking, most: int = MOST_ASKED) -> Asking:
    """The same, with no more than about so many customers who are asked for."""
    asked = blocks.sum(CountOf(asking)).asked
    return asking if asked <= most else replace(asking, share=most / asked)


def question(parts: Iterable[Part], at: int, n_articles: int) -> tuple[Question, Truth]:
    """All parts as one question and its truth, customers in order of their names."""
    found = list(parts)
    bought = joined([part.bought for part in found])
    places = {name: place for place, name in enumerate(bought.customers)}
    names = [name for part in found for name in part.asked]
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    asked = np.array([places[names[place]] for place in order], np.int64)
    seen, truth = (chained([getattr(part, kind) for part in found]) for kind in ("seen", "truth"))
    return (
        Question(at, n_articles, bought.starts, bought.article, bought.day, asked, taken(seen, order)),
        taken(truth, order),
    )


def joined(histories: Sequence[Histories]) -> Histories:
    """Histories one after another, in order of customers' names."""
    whole = Histories(
        tuple(name for one in histories for name in one.customers),
        tuple(country for one in histories for country in one.countries),
        _starts([np.diff(one.starts) for one in histories]),
        *(
            np.concatenate([getattr(one, name) for one in histories] or [np.zeros(0, np.int32)])
            for name in ("article", "day", "order", "units")
        ),
    )
    return whole.of(sorted(range(len(whole)), key=whole.customers.__getitem__))


def chained(truths: Sequence[Truth]) -> Truth:
    """Rows one after another."""
    article = np.concatenate([one.article for one in truths] or [np.zeros(0, np.int64)])
    return Truth(_starts([one.sizes for one in truths]), article)


def taken(truth: Truth, rows: Longs) -> Truth:
    """Some of the rows, in this order."""
    sizes = truth.sizes[rows]
    starts = _starts([sizes])
    places = np.repeat(truth.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
    return Truth(starts, truth.article[places])


def _starts(sizes: Sequence[NDArray[np.int64]]) -> Longs:
    return np.concatenate(([0], np.cumsum(np.concatenate([*sizes, np.zeros(0, np.int64)])))).astype(np.int64)
