"""What methods are worth: their lists against what was bought in a window that they know nothing of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.customer_lists import Scene
from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.known import Floats
from spark_jobs.recommendations.ranking.learning import chosen, lot
from spark_jobs.recommendations.ranking.logistic import Logistic
from spark_jobs.recommendations.ranking.measures import Measures, Truth, measure
from spark_jobs.recommendations.ranking.popular import popular

K = 10
MOST_CUSTOMERS = 20_000
MOST_QUERIES = 20  # of one order


@dataclass(frozen=True)
class Judged:
    """Measures by list and method; of two blocks they are put together."""

    lists: dict[tuple[str, str], Measures]

    def __add__(self, other: Judged) -> Judged:
        return Judged({key: found + other.lists[key] for key, found in self.lists.items()})


@dataclass(frozen=True)
class Test:
    """Customers of a block who are known at a day, and what they bought from then on.

    Args:
        block: customers with a sale before the day and a sale of an article known then within the window.
        everything: what they bought of articles known at the day.
        new: without what they had bought before, given back or not.
        own: only what they had bought before.
    """

    block: Histories
    everything: Truth
    new: Truth
    own: Truth

    @classmethod
    def of(cls, block: Histories, basis: Basis, end: int) -> Test:
        """A block's test customers.

        Args:
            end: first day after the window that begins at the basis' day.
        """
        sold = basis.statistics.sold > 0
        bought = block.between(basis.at, end).sales()
        bought = bought.where(sold[bought.article])
        before = block.before(basis.at).sales()
        tested = np.flatnonzero((np.diff(before.starts) > 0) & (np.diff(bought.starts) > 0)).tolist()
        users = block.of(tested)
        truth, seen = Truth.of(bought.of(tested)), Truth.of(before.of(tested))
        known = seen.holds(truth.row, truth.article)
        return cls(users, truth, truth.where(~known), truth.where(known))


@dataclass(frozen=True)
class JudgeCustomers:
    """Work for blocks: every method of a customer's lists and of popular on the window after a basis.

    Args:
        end: first day after the window.
        of: the methods of each list.
        weights: of the methods that learn.
    """

    basis: Basis
    end: int
    of: Mapping[str, Sequence[str]]
    weights: Mapping[str, Logistic]

    def __call__(self, block: Histories) -> Judged:
        """Measures of the block's customers, of at most about 20,000 in all blocks."""
        some = chosen(block, self.basis.statistics.customers, MOST_CUSTOMERS)
        test = Test.of(some, self.basis, self.end)
        scene = Scene.of(self.basis, test.block)
        found = {}
        for method in self.of["you_may_like"]:
            ranked = scene.new(method, self.weights.get(method), K)
            found["you_may_like", method] = measure(ranked.article, test.new)
        for method in self.of["buy_again"]:
            ranked = scene.own(method, self.weights.get(method), K)
            found["buy_again", method] = measure(ranked.article, test.own)
        truth, countries = newcomers(some, self.basis, self.end)
        for method in self.of["popular"]:
            found["popular", method] = measure(self._popular(method, countries), truth)
        return Judged(found)

    def _popular(self, method: str, countries: Sequence[str]) -> NDArray[np.int32]:
        lists = np.full((len(countries), K), -1, np.int32)
        ready = {name: popular(method, self.basis.statistics, name, K).article for name in set(countries)}
        for row, name in enumerate(countries):
            lists[row, : len(ready[name])] = ready[name]
        return lists


def newcomers(block: Histories, basis: Basis, end: int) -> tuple[Truth, list[str]]:
    """What customers who did nothing before a day then bought of articles known at it, and their countries."""
    bought = block.between(basis.at, end).sales()
    bought = bought.where(basis.statistics.sold[bought.article] > 0)
    rows = np.flatnonzero(
        (np.diff(block.before(basis.at).starts) == 0) & (np.diff(bought.starts) > 0)
    ).tolist()
    return Truth.of(bought.of(rows)), [block.countries[row] for row in rows]


@dataclass(frozen=True)
class JudgeBaskets:
    """Work for blocks of orders: for each article of an order as the question, the rest of it as the truth.

    An order counts once, with the mean over its questions, at most 20 that a hash of the order's name draws.

    Args:
        first: first day of the window.
        end: first day after it.
        sold: bool[articles], known before the window.
        tables: of each method int32[articles, at least K].
    """

    first: int
    end: int
    sold: NDArray[np.bool_]
    tables: Mapping[str, NDArray[np.int32]]

    def __call__(self, block: Histories) -> Judged:
        """Measures of the block's orders with two known articles or more."""
        bought = block.between(self.first, self.end).sales()
        bought = bought.where(self.sold[bought.article])
        rows = np.flatnonzero(np.diff(bought.starts) > 1).tolist()
        order, query, truth = _questions(bought.of(rows))
        return Judged(
            {
                ("also_bought", method): _per_order(measure(table[query], truth), order)
                for method, table in self.tables.items()
            }
        )


def _questions(orders: Histories) -> tuple[NDArray[np.int64], NDArray[np.int64], Truth]:
    """Each question's order and article, and the order's other articles."""
    whole = Truth.of(orders)
    order, query, rest = [], [], []
    for row, name in enumerate(orders.customers):
        items = whole.article[whole.starts[row] : whole.starts[row + 1]]
        asked = items
        if len(items) > MOST_QUERIES:
            random = np.random.default_rng(int(lot(name) * 2**32))
            asked = np.sort(random.choice(items, MOST_QUERIES, replace=False))
        if len(items) < 2:
            continue
        for article in asked:
            order.append(row)
            query.append(article)
            rest.append(items[items != article])
    starts = np.concatenate(([0], np.cumsum([len(items) for items in rest]))).astype(np.int64)
    others = np.concatenate(rest) if rest else np.zeros(0, np.int64)
    return np.array(order, np.int64), np.array(query, np.int64), Truth(starts, others)


def _per_order(measures: Measures, order: NDArray[np.int64]) -> Measures:
    asked = np.bincount(order)
    used = asked > 0

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(order, weights=values)[used] / asked[used])

    return Measures(mean(measures.recall), mean(measures.ndcg), mean(measures.map))
