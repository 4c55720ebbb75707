"""How likely a customer orders anything at all within the window ahead."""

from __future__ import annotations

import numpy as np

from spark_jobs.recommendations.ranking.known import Floats, Known
from spark_jobs.recommendations.ranking.statistics import FADING_DAYS

FEATURES = (
    "log_customer_orders",
    "log_customer_articles",
    "log_customer_days_since",
    "log_customer_faded_lines",
)


def features(known: Known) -> Floats:
    """float64[customers, FEATURES]."""
    faded = np.bincount(known.row, weights=known.faded(FADING_DAYS), minlength=len(known))
    return np.column_stack(
        (
            np.log1p(known.customer_orders()),
            np.log1p(known.distinct),
            np.log1p(known.at - known.last_day()),
            np.log1p(faded),
        )
    )
