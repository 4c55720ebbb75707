"""What methods stand on at a day: statistics, and the models of what speaks for what."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking import ease, neighbours
from spark_jobs.recommendations.ranking.factors import Factors, TrainFactors, fold_in
from spark_jobs.recommendations.ranking.histories import Blocks, Histories
from spark_jobs.recommendations.ranking.known import Floats, Known, Singles
from spark_jobs.recommendations.ranking.statistics import EASE_FADING_DAYS, Gram, Statistics

# Which models the methods of a customer's lists need beside the statistics.
_NEEDS: dict[str, tuple[str, ...]] = {
    "item_knn": ("item_knn",),
    "als": ("als",),
    "ease": ("ease",),
    "ease_als": ("ease", "als"),
    "learned": ("ease",),
    "next_purchase": ("ease",),
}


@dataclass(frozen=True)
class Basis:
    """Statistics and models of everything before a day.

    Args:
        statistics: of all blocks.
        trend: float64[articles], `Statistics.trend`.
        ease: float32[articles, articles] on faded orders; None where no method needs it, as all that follow.
        item_knn: CSR float32 [articles, articles].
        als: factors of Spark's ALS.
    """

    statistics: Statistics
    trend: Floats
    ease: Singles | None = None
    item_knn: Any = None
    als: Factors | None = None

    @classmethod
    def of(
        cls,
        blocks: Blocks,
        at: int,
        n_articles: int,
        methods: Collection[str],
        train_factors: TrainFactors | None,
    ) -> Basis:
        """Fit what the methods need, from what happened before a day.

        Args:
            methods: of a customer's lists, names of `METHODS`.
            train_factors: None where no method needs ALS.

        Raises:
            ValueError: there is no block, or ALS is needed and cannot be had.
        """
        statistics = blocks.sum(partial(Statistics.of, at=at, n_articles=n_articles))
        needs = {need for method in methods for need in _NEEDS.get(method, ())}
        if "als" in needs and train_factors is None:
            raise ValueError("a method needs the factors of ALS, and nothing trains them")
        faded = blocks.sum(GramOf(at, n_articles, "faded")).dense() if "ease" in needs else None
        weights = ease.weights(faded) if faded is not None else None
        knn = None
        if "item_knn" in needs:
            knn = neighbours.nearest(neighbours.cosine(blocks.sum(GramOf(at, n_articles, "binary")).dense()))
        als = train_factors(at) if train_factors is not None and "als" in needs else None
        return cls(statistics, statistics.trend(), weights, knn, als)

    @property
    def at(self) -> int:
        """The day, exclusive."""
        return self.statistics.at

    def serves(self, methods: Collection[str]) -> bool:
        """Whether all models are there that the methods need."""
        return all(getattr(self, need) is not None for method in methods for need in _NEEDS.get(method, ()))

    def known(self, block: Histories) -> Known:
        """The block as it was known at the day."""
        return Known.of(block, self.at, len(self.trend))

    def scores(self, method: str, known: Known) -> NDArray[Any]:
        """Score every article for every customer of a block.

        Args:
            method: of `METHODS["you_may_like"]`, but `learned`, which orders what `ease` finds.

        Returns:
            [customers, articles], float32 or float64.
        """
        if method.startswith("popularity_"):
            buyers = self.statistics.buyers
            popular = buyers.ever if method == "popularity_all" else buyers.within(30)
            return np.broadcast_to(popular.astype(np.float64), (len(known), len(popular)))
        if method == "ease_als":
            return np.asarray(_evened(self.scores("ease", known)) + _evened(self.scores("als", known)))
        return np.asarray(self.affinity(method, known) * self.trend.astype(np.float32))

    def affinity(self, method: str, known: Known) -> NDArray[Any]:
        """What a method finds without trend; as `scores`.

        Args:
            method: `ease`, `item_knn` or `als`.
        """
        if method == "ease":
            return np.asarray(self.query(known) @ self.ease)
        if method == "als" and self.als is not None:
            return np.asarray((fold_in(known, self.als) @ self.als.values.T).astype(np.float32))
        if method == "item_knn":
            return np.asarray((known.matrix(np.ones(len(known.row), np.float32)) @ self.item_knn).toarray())
        raise ValueError(f"no method {method} here")

    def query(self, known: Known) -> Any:
        """CSR float32 [customers, articles]: what each customer asks EASE with."""
        return known.matrix(np.sqrt(known.faded(EASE_FADING_DAYS)).astype(np.float32))


@dataclass(frozen=True)
class GramOf:
    """`Gram.of` as work for blocks."""

    at: int
    n_articles: int
    kind: str

    def __call__(self, block: Histories) -> Gram:
        return Gram.of(Known.of(block, self.at, self.n_articles), self.kind)


def _evened(scores: NDArray[Any]) -> NDArray[Any]:
    best = scores.max(axis=1, keepdims=True) if scores.shape[1] else scores
    return np.asarray(scores / np.where(best > 0, best, 1.0))
