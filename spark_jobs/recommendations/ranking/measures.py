"""How good ranked lists are, against what customers then bought: recall, NDCG, MAP, intervals, coverage, novelty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.histories import Histories, Longs
from spark_jobs.recommendations.ranking.known import Floats

_STRIDE = 1 << 32


@dataclass(frozen=True)
class Truth:
    """What each of n customers bought: distinct articles `article[starts[c]:starts[c + 1]]`, rising.

    Args:
        starts: int64[n + 1].
        article: int64[starts[n]].
    """

    starts: Longs
    article: Longs

    @classmethod
    def of(cls, histories: Histories) -> Truth:
        """The distinct articles of each customer's events."""
        keys = np.unique(histories.row * _STRIDE + histories.article)
        row, article = np.divmod(keys, _STRIDE)
        return cls(np.searchsorted(row, np.arange(len(histories) + 1)), article)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Longs:
        """int64[n]: how many articles each customer bought."""
        return np.diff(self.starts)

    @property
    def row(self) -> Longs:
        """int64[articles]: the customer of each entry."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def where(self, keep: NDArray[np.bool_]) -> Truth:
        """The same customers with some of their articles."""
        counts = np.bincount(self.row[keep], minlength=len(self))
        return Truth(np.concatenate(([0], np.cumsum(counts))), self.article[keep])

    def holds(self, row: NDArray[Any], article: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each customer bought each article; false for an article below 0."""
        keys = self.row * _STRIDE + self.article
        wanted = row * _STRIDE + article
        if not len(keys):
            return np.zeros(wanted.shape, np.bool_)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.asarray((keys[place] == wanted) & (article >= 0))


@dataclass(frozen=True)
class Measures:
    """Measures of each customer who bought anything; customers without are not in it.

    Args:
        recall: float64[n], found / bought.
        ndcg: float64[n], against the best possible list of the same length.
        map: float64[n], average precision / the most that could be found.
    """

    recall: Floats
    ndcg: Floats
    map: Floats

    def __add__(self, other: Measures) -> Measures:
        return Measures(
            np.concatenate((self.recall, other.recall)),
            np.concatenate((self.ndcg, other.ndcg)),
            np.concatenate((self.map, other.map)),
        )

    def __len__(self) -> int:
        return len(self.ndcg)

    def mean(self) -> dict[str, float]:
        """The means over customers, whatever their order; 0 where there is none."""
        return {name: _mean(getattr(self, name)) for name in ("recall", "ndcg", "map")}


@dataclass(frozen=True)
class Reach:
    """How often each article stands in lists, for coverage and novelty.

    Args:
        shown: int64[articles].
    """

    shown: Longs

    @classmethod
    def of(cls, ranked: NDArray[Any], n_articles: int, k: int = 10) -> Reach:
        """Count the first k of each list.

        Args:
            ranked: int[n, at least k], -1 where a list has ended.
        """
        shown = ranked[:, :k]
        return cls(np.bincount(shown[shown >= 0], minlength=n_articles))

    def __add__(self, other: Reach) -> Reach:
        return Reach(self.shown + other.shown)

    def coverage(self) -> float:
        """Share of all articles that stand in any list."""
        return float((self.shown > 0).mean()) if len(self.shown) else 0.0

    def novelty(self, buyers: NDArray[Any], users: int) -> float:
        """Mean of -log2(share of all users who bought it) over all places of all lists, in bits; the more the rarer.

        Args:
            buyers: int[articles], users who bought the article in training.
            users: how many there are.
        """
        shown = int(self.shown.sum())
        if not shown or not users:
            return 0.0
        return float(self.shown @ -np.log2(np.maximum(buyers, 1) / users) / shown)


def measure(ranked: NDArray[Any], truth: Truth, k: int = 10) -> Measures:
    """Measure the first k of each customer's list against what the customer bought.

    Recall = found / bought; NDCG = DCG / DCG of min(bought, k) hits on top, discount 1 / log2(place + 1); average
    precision is divided by min(bought, k).

    Args:
        ranked: int[n, any], -1 where a list has ended; no article twice in a row.
        truth: of the same n customers.
    """
    shown = ranked[:, :k]
    row = np.arange(len(truth))[:, None]
    hit = truth.holds(np.broadcast_to(row, shown.shape), shown).astype(np.float64)
    place = np.arange(1, shown.shape[1] + 1)
    dcg = (hit / np.log2(place + 1.0)).sum(axis=1)
    precision = np.cumsum(hit, axis=1) / place
    bought = truth.sizes
    ideal = np.concatenate(([0.0], np.cumsum(1.0 / np.log2(np.arange(1, k + 1) + 1.0))))
    some = bought > 0
    most = np.minimum(bought[some], k)
    return Measures(
        hit.sum(axis=1)[some] / bought[some],
        dcg[some] / ideal[most],
        (precision * hit).sum(axis=1)[some] / most,
    )


def interval(values: Floats, seed: int, draws: int = 1000) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean over customers, whatever their order; (0, 0) for none.

    Args:
        values: float64[n], one per customer.
        seed: the same seed gives the same interval.
        draws: resamples.
    """
    if not len(values):
        return 0.0, 0.0
    ordered = np.sort(values)
    random = np.random.default_rng(seed)
    means = np.array([ordered[random.integers(0, len(ordered), len(ordered))].mean() for _ in range(draws)])
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _mean(values: Floats) -> float:
    return math.fsum(values) / len(values) if len(values) else 0.0
