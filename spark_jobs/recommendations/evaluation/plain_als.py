"""ALS as it comes out of the box, and as the course has it: what to train in Spark, and each customer's own factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.known import Floats, Known

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class AlsSettings:
    """What Spark's ALS is trained with.

    Args:
        implicit: whether ratings say how sure a preference is; else they are the very thing to predict.
        rating: of a customer's article: the number of orders with it, or always 1.0.
        regularisation: weighs with the number of a customer's articles, as Spark does it.
        alpha: of implicit ALS.
    """

    implicit: bool
    rating: Literal["orders", "one"]
    rank: int
    regularisation: float
    iterations: int
    alpha: float = 1.0


PLAIN = AlsSettings(implicit=True, rating="orders", rank=64, regularisation=0.1, iterations=10)
COURSE = AlsSettings(implicit=False, rating="one", rank=10, regularisation=0.1, iterations=10)


def ratings(known: Known, settings: AlsSettings) -> Floats:
    """float64[pairs]: what ALS is trained on."""
    return known.orders.astype(np.float64) if settings.rating == "orders" else np.ones(len(known.row))


def fold_in(known: Known, values: Singles, settings: AlsSettings) -> Floats:
    """Each customer's factors, as the last half-step of Spark's training has them.

    Explicit: solves (Σ y yᵀ + reg n I) x = Σ r y over the customer's n articles. Implicit: (YᵀY + Σ αr y yᵀ + reg n I)
    x = Σ (1 + αr) y. Source: Spark 4.0, ALS.scala, computeFactors.

    Args:
        values: float32[articles, rank], what was trained.

    Returns:
        float64[customers, rank]; zeros for a customer without purchases.
    """
    items, rank = values.astype(np.float64), values.shape[1]
    whole = items.T @ items if settings.implicit else np.zeros((rank, rank))
    given = ratings(known, settings)
    trust = settings.alpha * given if settings.implicit else np.ones(len(given))
    wanted = 1.0 + trust if settings.implicit else given
    found = np.zeros((len(known), rank))
    for row in range(len(known)):
        own = slice(known.starts[row], known.starts[row + 1])
        each = items[known.article[own]]
        if len(each):
            left = whole + (each * trust[own, None]).T @ each
            left[np.diag_indices(rank)] += settings.regularisation * len(each)
            found[row] = np.linalg.solve(left, wanted[own] @ each)
    return found
