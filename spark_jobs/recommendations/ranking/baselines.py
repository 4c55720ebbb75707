"""What others would use, for comparison: popularity, own history, item-kNN; without trend and without learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spark_jobs.recommendations.ranking import buy_again
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.histories import Blocks, Histories, Ints
from spark_jobs.recommendations.ranking.known import Floats, Known, top
from spark_jobs.recommendations.ranking.you_may_like import unseen

# What each one is called in tables, in the order of tables.
NAMES = ("popularity_all", "popularity_30d", "own_history", "item_knn")


@dataclass(frozen=True)
class Baseline:
    """One of `NAMES`, fitted.

    Args:
        basis: with `item_knn` where that is the name.
    """

    name: str
    basis: Basis

    def rank(self, block: Histories, k: int, new: bool) -> Ints:
        """int32[customers, k], -1 where a list has ended.

        Args:
            new: leave out what the customer bought before; then own history is popularity of the last 30 days.
        """
        known = self.basis.known(block)
        scores = self._scores(known)
        sold = self.basis.statistics.sold > 0
        return top(unseen(scores, known, sold) if new else np.where(sold, scores, -np.inf), k)[0]

    def _scores(self, known: Known) -> Floats:
        if self.name == "item_knn":
            return np.array(self.basis.affinity("item_knn", known), np.float64)
        popular = "popularity_30d" if self.name == "own_history" else self.name
        scores = np.array(self.basis.scores(popular, known), np.float64)
        if self.name == "own_history":
            # Every own article has a score of 1 or more, and every other one less.
            scores /= scores.max(initial=0.0) + 1.0
            scores[known.row, known.article] = buy_again.plain_score("frequency", known, self.basis)
        return scores


def baselines(blocks: Blocks, at: int, n_articles: int) -> dict[str, Baseline]:
    """All of `NAMES`, fitted on what happened before a day; they share one basis.

    Raises:
        ValueError: there is no block.
    """
    basis = Basis.of(blocks, at, n_articles, NAMES, None)
    return {name: Baseline(name, basis) for name in NAMES}
