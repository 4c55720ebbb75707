"""Every method that ranks for customers, as work for blocks, and its answers put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spark_jobs.recommendations.evaluation.asking import Asking, known_at
from spark_jobs.recommendations.evaluation.handover import DEPTH, Ranked
from spark_jobs.recommendations.evaluation.plain_als import AlsSettings, fold_in
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.factors import Factors
from spark_jobs.recommendations.ranking.histories import Histories, Ints
from spark_jobs.recommendations.ranking.known import Known, top


class Ranker(Protocol):
    """One method, trained."""

    def rank(self, block: Histories, k: int, new: bool) -> Ints:
        """int32[customers, k], the best first, -1 where there is no more.

        Args:
            block: customers as they were known at the cut-off.
            new: only what the customer has never ordered.
        """
        ...


class TwoRankings(Protocol):
    """What the recommender itself ranks."""

    def rank_all(self, block: Histories, k: int) -> Ints:
        """Among all articles."""
        ...

    def rank_new(self, block: Histories, k: int) -> Ints:
        """Among those that the customer has never ordered."""
        ...


@dataclass(frozen=True)
class Ours:
    """The recommender under evaluation."""

    model: TwoRankings

    def rank(self, block: Histories, k: int, new: bool) -> Ints:
        """As `Ranker.rank`."""
        return self.model.rank_new(block, k) if new else self.model.rank_all(block, k)


@dataclass(frozen=True)
class Als:
    """Spark's ALS as it comes, without anything added; an article that it never saw is not ranked."""

    factors: Factors
    settings: AlsSettings
    at: int

    def rank(self, block: Histories, k: int, new: bool) -> Ints:
        """As `Ranker.rank`."""
        values = self.factors.values
        known = Known.of(block, self.at, len(values))
        scores = fold_in(known, values, self.settings) @ values.T.astype(np.float64)
        scores[:, ~values.any(axis=1)] = -np.inf
        if new:
            scores[known.seen.nonzero()] = -np.inf
        return top(scores, k)[0]


@dataclass(frozen=True)
class OwnHistory:
    """What the customer ordered most often; of equal ones, and after them, what most bought in the last 30 days.

    Args:
        basis: everything before the cut-off.
    """

    basis: Basis

    def rank(self, block: Histories, k: int, new: bool) -> Ints:
        """As `Ranker.rank`."""
        known = self.basis.known(block)
        recent = self.basis.statistics.buyers.within(30)
        scores = known.matrix(known.orders.astype(np.float64)).toarray() + recent / (int(recent.max()) + 1)
        scores[:, self.basis.statistics.sold == 0] = -np.inf
        if new:
            scores[known.seen.nonzero()] = -np.inf
        return top(scores, k)[0]


@dataclass(frozen=True)
class Answers:
    """What all methods rank for one block's customers who are asked for."""

    names: tuple[str, ...]
    ranked: Mapping[str, Ranked]


@dataclass(frozen=True)
class AnswersOf:
    """`Answers` as work for blocks."""

    asking: Asking
    rankers: Mapping[str, Ranker]

    def __call__(self, block: Histories) -> Answers:
        asked = block.of(self.asking.rows(block))
        known = known_at(asked, self.asking.at)
        return Answers(
            known.customers,
            {
                name: Ranked(ranker.rank(known, DEPTH, False), ranker.rank(known, DEPTH, True))
                for name, ranker in self.rankers.items()
            },
        )


def answers(parts: Iterable[Answers], methods: Iterable[str]) -> dict[str, Ranked]:
    """All parts, customers in order of their names, by method."""
    found = list(parts)
    names = np.array([name for part in found for name in part.names], dtype=object)
    order = np.argsort(names, kind="stable")
    return {
        method: Ranked(
            *(
                np.concatenate(
                    [np.zeros((0, DEPTH), np.int32), *(getattr(part.ranked[method], kind) for part in found)]
                )[order].astype(np.int32)
                for kind in ("all", "new")
            )
        )
        for method in methods
    }
