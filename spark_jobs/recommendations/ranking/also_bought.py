"""Customers also bought: for each article the ones that lie in the same orders, guests' orders included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking import ease
from spark_jobs.recommendations.ranking.histories import Ints, Longs
from spark_jobs.recommendations.ranking.known import Floats, Singles, top
from spark_jobs.recommendations.ranking.recipe import ALSO_BOUGHT_LENGTH
from spark_jobs.recommendations.ranking.statistics import Baskets

SHRINK = 20.0  # orders
LIFT_SHRINK = 5.0  # orders
_SLICE = 512


@dataclass(frozen=True)
class AlsoBought:
    """For each article the list of others.

    Args:
        article: int32[articles, length], -1 where a list has ended.
        score: float64[articles, length], falling.
        times: int64[articles, length], orders with both.
    """

    article: Ints
    score: Floats
    times: Longs

    @classmethod
    def of(cls, method: str, baskets: Baskets, length: int = ALSO_BOUGHT_LENGTH) -> AlsoBought:
        """Rank by a method; only articles that share an order are listed, but for `popularity_all`.

        Args:
            method: of `METHODS["also_bought"]`.
        """
        together = baskets.together.dense()
        n = len(together)
        spoken = ease.weights(together.copy()) if method == "ease" else None
        article = np.full((n, length), -1, np.int32)
        score = np.full((n, length), -np.inf)
        times = np.zeros((n, length), np.int64)
        for first in range(0, n, _SLICE):
            rows = np.arange(first, min(first + _SLICE, n))
            values = _scores(method, baskets, together, spoken, rows)
            values[np.arange(len(rows)), rows] = -np.inf
            if not method.startswith("popularity_"):
                values[together[rows] <= 0] = -np.inf
            article[rows], score[rows] = top(values, length)
            times[rows] = np.take_along_axis(together[rows], np.maximum(article[rows], 0).astype(np.int64), 1)
        return cls(article, score, times)


def _scores(
    method: str, baskets: Baskets, together: Floats, spoken: Singles | None, rows: NDArray[np.int64]
) -> Floats:
    count = np.diag(together)
    both = together[rows]
    if method == "popularity_all":
        return np.where(count > 0, count, -np.inf)[None, :].repeat(len(rows), axis=0)
    if method == "co_occurrence":
        return both.copy()
    if method == "cosine":
        return np.asarray(both / (np.sqrt(np.outer(count[rows], count)) + SHRINK))
    if method == "lift":
        return np.asarray(both / (np.outer(count[rows], count) / max(baskets.orders, 1) + LIFT_SHRINK))
    if method == "ease" and spoken is not None:
        return spoken[rows].astype(np.float64)
    raise ValueError(f"no method {method} here")
