"""The lists that need no customer: also-bought against the rest of an order, popular against newcomers' first articles.

Judged as the choice judges them, but after the cut-off, where the choice has not looked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spark_jobs.recommendations.ranking.also_bought import AlsoBought
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.histories import Blocks, Histories
from spark_jobs.recommendations.ranking.judging import JudgeBaskets, Judged, K, newcomers
from spark_jobs.recommendations.ranking.measures import Measures, measure
from spark_jobs.recommendations.ranking.popular import popular
from spark_jobs.recommendations.ranking.recipe import ALSO_BOUGHT_LENGTH
from spark_jobs.recommendations.ranking.statistics import Baskets, Statistics

ALSO_BOUGHT, POPULAR = "also_bought", "popular"
BESIDE = {
    ALSO_BOUGHT: ("popularity_all", "co_occurrence"),
    POPULAR: ("popularity_all", "popularity_30d"),
}
"""What anybody would begin with."""
ByMethod = dict[str, Measures]


def also_bought(
    blocks: Blocks, counted: Baskets, days: tuple[int, int], ours: tuple[str, AlsoBought]
) -> ByMethod:
    """Measures of each order after the cut-off, by method; ours first.

    Args:
        blocks: all orders.
        counted: of those before the cut-off.
        days: the cut-off, and the first day that is not asked for.
        ours: the method that the choice picked, and what was fitted by it.
    """
    sold = np.diag(counted.together.dense()) > 0
    others = [method for method in BESIDE[ALSO_BOUGHT] if method != ours[0]]
    tables = {ours[0]: ours[1].article}
    tables |= {method: AlsoBought.of(method, counted, ALSO_BOUGHT_LENGTH).article for method in others}
    found = blocks.sum(JudgeBaskets(*days, sold, tables)).lists
    return {method: found[ALSO_BOUGHT, method] for method in tables}


def popular_lists(blocks: Blocks, statistics: Statistics, end: int, ours: str) -> ByMethod:
    """Measures of each newcomer after the cut-off, by method; ours first.

    Args:
        blocks: all customers.
        statistics: of what was known at the cut-off.
        end: exclusive.
        ours: the method that the choice picked.
    """
    methods = tuple(dict.fromkeys((ours, *BESIDE[POPULAR])))
    found = blocks.sum(JudgeNewcomers(statistics, end, methods)).lists
    return {method: found[POPULAR, method] for method in methods}


@dataclass(frozen=True)
class JudgeNewcomers:
    """Work for blocks: popular lists of the country that each newcomer ordered from."""

    statistics: Statistics
    end: int
    methods: tuple[str, ...]

    def __call__(self, block: Histories) -> Judged:
        """Measures of the block's newcomers."""
        truth, countries = newcomers(block, Basis(self.statistics, self.statistics.trend()), self.end)
        return Judged(
            {(POPULAR, method): measure(self._shown(method, countries), truth) for method in self.methods}
        )

    def _shown(self, method: str, countries: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        shown = np.full((len(countries), K), -1, np.int32)
        ready = {name: popular(method, self.statistics, name, K).article for name in set(countries)}
        for row, name in enumerate(countries):
            shown[row, : len(ready[name])] = ready[name]
        return shown
