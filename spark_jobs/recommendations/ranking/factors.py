"""Articles' factors from Spark's ALS, and a customer's own folded in from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spark_jobs.recommendations.ranking.known import Floats, Known, Singles

HALF_LIFE_DAYS = 90.0
ALPHA = 2.0
REGULARISATION = 0.05


@dataclass(frozen=True)
class Factors:
    """What ALS learned of the articles.

    Args:
        values: float32[articles, rank]; zeros for an article that it never saw.
    """

    values: Singles


TrainFactors = Callable[[int], Factors]  # of a day: the factors learned from what was bought before it


def ratings(known: Known) -> Floats:
    """float64[pairs]: what ALS is trained on, orders with the article, each halved by 90 days of age."""
    return known.faded(HALF_LIFE_DAYS / np.log(2.0))


def fold_in(known: Known, factors: Factors) -> Floats:
    """Each customer's factors as one more half-step of implicit ALS would find them.

    Solves (YᵀY + Σ αr y yᵀ + reg × n I) x = Σ (1 + αr) y over the customer's n articles: Spark's rule.
    Source: Hu, Koren, Volinsky 2008; Spark 4.0 ALS.scala, computeFactors.

    Returns:
        float64[customers, rank]; zeros for a customer without purchases.
    """
    values = factors.values.astype(np.float64)
    rank = values.shape[1]
    whole = values.T @ values
    trust = ALPHA * ratings(known)
    found = np.zeros((len(known), rank))
    for row in range(len(known)):
        own = slice(known.starts[row], known.starts[row + 1])
        items, weight = values[known.article[own]], trust[own]
        if not len(items):
            continue
        left = whole + (items * weight[:, None]).T @ items
        left[np.diag_indices(rank)] += REGULARISATION * len(items)
        found[row] = np.linalg.solve(left, (1.0 + weight) @ items)
    return found
