"""A block of customers as they were known at the beginning of a day: pairs of customer and article."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spark_jobs.recommendations.ranking.histories import Histories, Ints, Longs
from spark_jobs.recommendations.ranking.netting import purchases

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# Sums of multiples of this are exact in 64 bits up to 2^32 events: no order of addition shows in them.
_GRAIN = 2.0**-20


@dataclass(frozen=True)
class Known:
    """What a block's customers had bought before a day, one entry per customer and article.

    Pairs are in order of customer and article; a pair's events are its orders, as lines of one order and article are
    one event.

    Args:
        histories: the sale events that count as purchases.
        at: the day, exclusive.
        n_articles: how many articles there are.
        starts: int64[customers + 1], where each customer's pairs begin.
        row: int64[pairs], the customer's place in the block.
        article: int64[pairs].
        orders: int64[pairs], orders with the article.
        first: int64[pairs], day of the first one.
        last: int64[pairs], day of the last one.
        pair: int64[events], the pair of each event.
        seen: bool-like CSR [customers, articles] of everything ever bought, given back or not.
    """

    histories: Histories
    at: int
    n_articles: int
    starts: Longs
    row: Longs
    article: Longs
    orders: Longs
    first: Longs
    last: Longs
    pair: Longs
    seen: Any

    @classmethod
    def of(cls, block: Histories, at: int, n_articles: int) -> Known:
        """What was known of a block at the beginning of a day.

        Args:
            block: all events, later ones too.
            at: days since 1970-01-01.
        """
        bought = purchases(block, at)
        key = bought.row * n_articles + bought.article
        keys, pair, orders = np.unique(key, return_inverse=True, return_counts=True)
        row, article = np.divmod(keys, max(n_articles, 1))
        first = np.full(len(keys), np.iinfo(np.int64).max)
        last = np.full(len(keys), np.iinfo(np.int64).min)
        np.minimum.at(first, pair, bought.day)
        np.maximum.at(last, pair, bought.day)
        starts = np.searchsorted(row, np.arange(len(block) + 1))
        seen = incidence(block.before(at).sales(), n_articles)
        return cls(bought, at, n_articles, starts, row, article, orders, first, last, pair, seen)

    def __len__(self) -> int:
        return len(self.histories)

    @property
    def distinct(self) -> Longs:
        """int64[customers]: how many articles each one bought."""
        return np.diff(self.starts)

    def customer_orders(self) -> Longs:
        """int64[customers]: how many orders each one placed."""
        events = self.histories
        width = int(events.order.max()) + 1 if len(events.order) else 1
        placed = np.unique(events.row * width + events.order) // width
        return np.bincount(placed, minlength=len(self))

    def last_day(self) -> Longs:
        """int64[customers]: the day of each one's last order, `at` for one without."""
        last = np.full(len(self), np.iinfo(np.int64).min)
        np.maximum.at(last, self.row, self.last)
        return np.where(self.distinct > 0, last, self.at)

    def faded(self, days: float) -> Floats:
        """float64[pairs]: orders with the article, each weighing exp(-age / days); no order of addition shows."""
        age = self.at - self.histories.day
        weight = np.round(np.exp(-age / days) / _GRAIN) * _GRAIN
        return np.asarray(np.bincount(self.pair, weights=weight, minlength=len(self.row)), np.float64)

    def matrix(self, values: NDArray[Any]) -> Any:
        """CSR [customers, articles] with a value for each pair."""
        return sparse.csr_matrix((values, self.article, self.starts), shape=(len(self), self.n_articles))


def incidence(histories: Histories, n_articles: int) -> Any:
    """CSR float32 [customers, articles]: 1 where the customer has an event with the article."""
    keys = np.unique(histories.row * n_articles + histories.article)
    row, article = np.divmod(keys, max(n_articles, 1))
    starts = np.searchsorted(row, np.arange(len(histories) + 1))
    shape = (len(histories), n_articles)
    return sparse.csr_matrix((np.ones(len(keys), np.float32), article, starts), shape=shape)


def top(scores: NDArray[Any], k: int) -> tuple[Ints, Floats]:
    """The best k columns of each row, as `best_of`.

    Args:
        scores: [rows, columns], float32 or float64; -inf where a column must not be taken.
    """
    n, columns = scores.shape
    width = min(k, columns)
    if not n or not width:
        return np.full((n, k), -1, np.int32), np.full((n, k), -np.inf)
    least = np.partition(scores, columns - width, axis=1)[:, columns - width].astype(np.float64)
    # Whatever may round to the same six digits as the least of the best.
    bound = np.where(np.isfinite(least), least - 2e-5 * np.abs(least), -np.inf)
    row, column = np.nonzero((scores >= bound[:, None]) & (scores > -np.inf))
    return best_of(row, column, scores[row, column], n, k)


def best_of(
    row: NDArray[Any], column: NDArray[Any], score: NDArray[Any], n: int, k: int
) -> tuple[Ints, Floats]:
    """Of each of n rows the best k entries, falling; equal scores by column, places without an entry hold -1.

    Scores count to six significant digits, so that the last bits of a sum decide nothing.

    Args:
        row: int[entries], from 0 up to n.
        column: int[entries].
        score: float[entries].

    Returns:
        int32[n, k] columns, and float64[n, k] rounded scores, -inf where there is no entry.
    """
    rounded = significant(score)
    order = np.lexsort((column, -rounded, row))
    row = row[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    best, value = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf)
    best[row[kept], place[kept]] = column[order][kept]
    value[row[kept], place[kept]] = rounded[order][kept]
    return best, value


def significant(values: NDArray[Any], digits: int = 6) -> Floats:
    """The values as float64, rounded to some significant digits; infinities stay."""
    exact = np.asarray(values, np.float64)
    usable = np.isfinite(exact) & (exact != 0)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(np.where(usable, exact, 1.0))))
    scale = 10.0 ** (digits - 1 - exponent)
    return np.where(usable, np.round(exact * scale) / scale, exact)
