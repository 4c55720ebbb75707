"""What one pass over all customers finds out about articles: buyers by window and country, and what goes with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spark_jobs.recommendations.ranking.histories import Histories, Longs
from spark_jobs.recommendations.ranking.known import Floats, Known, incidence

SHORT_DAYS = (14, 30, 60)
FADING_DAYS = 90.0
EASE_FADING_DAYS = 180.0
# A customer with more distinct articles than this weighs less in what goes with what: a wholesaler's range is no taste.
DAMPED_FROM = 500

# Products of two multiples of this add up exactly in 64 bits, so a Gram matrix has one value in any order of blocks.
_GRAIN = 2.0**-13


@dataclass(frozen=True)
class Buyers:
    """Customers who bought each article.

    Args:
        ever: int64[articles].
        recent: int64[len(SHORT_DAYS), articles], those of the last 14, 30 and 60 days.
        faded: float64[articles], each buyer weighing exp(-age of the last order / 90 days).
    """

    ever: Longs
    recent: Longs
    faded: Floats

    @classmethod
    def of(cls, known: Known, chosen: NDArray[np.bool_]) -> Buyers:
        """Count the pairs chosen."""
        article, age = known.article[chosen], known.at - known.last[chosen]
        recent = [np.bincount(article[age <= days], minlength=known.n_articles) for days in SHORT_DAYS]
        weight = np.round(np.exp(-age / FADING_DAYS) * 2**20) / 2**20
        return cls(
            np.bincount(article, minlength=known.n_articles),
            np.array(recent, np.int64).reshape(len(SHORT_DAYS), known.n_articles),
            np.asarray(np.bincount(article, weights=weight, minlength=known.n_articles), np.float64),
        )

    def __add__(self, other: Buyers) -> Buyers:
        return Buyers(self.ever + other.ever, self.recent + other.recent, self.faded + other.faded)

    def within(self, days: int) -> Longs:
        """int64[articles]: buyers of the last 14, 30 or 60 days."""
        return np.asarray(self.recent[SHORT_DAYS.index(days)])


@dataclass(frozen=True)
class Statistics:
    """What is known of the articles at the beginning of a day; blocks' statistics add up exactly.

    Args:
        at: the day, exclusive.
        customers: how many have a purchase.
        buyers: of everywhere.
        repeaters: int64[articles], buyers with two orders of it or more.
        countries: of each country that has a buyer.
        sold: int64[articles], customers with a sale, given back or not: what a test may ask for.
    """

    at: int
    customers: int
    buyers: Buyers
    repeaters: Longs
    countries: Mapping[str, Buyers]
    sold: Longs

    @classmethod
    def of(cls, block: Histories, at: int, n_articles: int) -> Statistics:
        """One block's part.

        Args:
            block: all events; those from `at` on do not count.
            at: days since 1970-01-01.
        """
        known = Known.of(block, at, n_articles)
        country = np.array([block.countries[row] for row in known.row], object)
        return cls(
            at,
            int((known.distinct > 0).sum()),
            Buyers.of(known, np.ones(len(known.row), np.bool_)),
            np.bincount(known.article[known.orders > 1], minlength=n_articles),
            {name: Buyers.of(known, country == name) for name in sorted(set(country))},
            np.asarray(known.seen.getnnz(axis=0), np.int64),
        )

    def __add__(self, other: Statistics) -> Statistics:
        countries = dict(self.countries)
        for name, buyers in other.countries.items():
            countries[name] = countries[name] + buyers if name in countries else buyers
        return Statistics(
            self.at,
            self.customers + other.customers,
            self.buyers + other.buyers,
            self.repeaters + other.repeaters,
            countries,
            self.sold + other.sold,
        )

    def trend(self) -> Floats:
        """float64[articles]: (buyers of the last 30 days + 1) / (buyers ever + 1), near 1 for what is new or rising."""
        return np.asarray((self.buyers.within(30) + 1.0) / (self.buyers.ever + 1.0))


class Gram:
    """A sum over customers of weight × x xᵀ, x their value for each article; float64[articles, articles].

    Adding uses the left one up: at ten thousand articles one matrix is 0.8 GB, and a pass shall need one.
    """

    def __init__(self, values: Any) -> None:
        self._values = values

    @classmethod
    def of(cls, known: Known, kind: str, damped_from: int = DAMPED_FROM) -> Gram:
        """One block's part.

        Args:
            kind: `faded` (x the root of the faded orders) or `binary` (x 1 for what was bought).
            damped_from: distinct articles from which on a customer weighs damped_from / articles.
        """
        weight = np.minimum(1.0, damped_from / np.maximum(known.distinct, 1))[known.row]
        value = np.sqrt(weight * (known.faded(EASE_FADING_DAYS) if kind == "faded" else 1.0))
        return cls.product(known.matrix(np.round(value / _GRAIN) * _GRAIN))

    @classmethod
    def product(cls, matrix: Any) -> Gram:
        """matrixᵀ matrix of a CSR matrix [customers, articles]."""
        return cls((matrix.T @ matrix).tocsr())

    def __add__(self, other: Gram) -> Gram:
        whole = self.dense()
        if sparse.issparse(other._values):
            rows = np.repeat(np.arange(whole.shape[0]), np.diff(other._values.indptr))
            whole[rows, other._values.indices] += other._values.data
        else:
            whole += other._values
        return Gram(whole)

    def dense(self) -> Floats:
        """float64[articles, articles]."""
        if sparse.issparse(self._values):
            self._values = self._values.toarray()
        return np.asarray(self._values)


@dataclass(frozen=True)
class Baskets:
    """What lay in orders together, guests' orders included.

    Args:
        orders: how many orders.
        together: Gram of counts: on the diagonal an article's orders, elsewhere the orders with both.
    """

    orders: int
    together: Gram

    @classmethod
    def of(cls, block: Histories, at: int, n_articles: int) -> Baskets:
        """One block's part; each row of the block is an order.

        Args:
            at: orders of this day and later do not count.
        """
        past = block.before(at).sales()
        matrix = incidence(past, n_articles)
        return cls(int((np.diff(past.starts) > 0).sum()), Gram.product(matrix.astype(np.float64)))

    def __add__(self, other: Baskets) -> Baskets:
        return Baskets(self.orders + other.orders, self.together + other.together)
