"""From places in a list to probabilities, so that two lists of a customer can be merged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.known import Floats, Known

FEATURES = ("log_place", "relative_score", "log_customer_orders", "log_customer_days_since")


def features(known: Known, ranked: NDArray[Any], score: Floats) -> Floats:
    """float64[customers × k, FEATURES] of any method's list, also for places that hold -1.

    Args:
        ranked: int[customers, k].
        score: float64[customers, k], falling.
    """
    n, k = ranked.shape
    finite = np.where(np.isfinite(score), score, 0.0)
    best = np.abs(finite[:, :1]) if k else finite
    columns = (
        np.broadcast_to(np.log(np.arange(1, k + 1)), (n, k)),
        finite / np.where(best > 0, best, 1.0),
        np.broadcast_to(np.log1p(known.customer_orders())[:, None], (n, k)),
        np.broadcast_to(np.log1p(known.at - known.last_day())[:, None], (n, k)),
    )
    return np.column_stack([np.ravel(column) for column in columns])


def falling(probability: Floats) -> Floats:
    """The probabilities of a list, none above the one before it: calibration never changes the order."""
    return np.minimum.accumulate(probability, axis=1)
