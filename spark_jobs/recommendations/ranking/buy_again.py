"""Buy again: a customer's own articles, by how likely the next purchase falls into the window ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.known import Floats, Known
from spark_jobs.recommendations.ranking.statistics import FADING_DAYS

FEATURES = (
    "log_orders_with_it",
    "log_days_since",
    "log_faded_orders",
    "log_affinity",
    "log_trend",
    "repeat_rate",
    "log_buyers_30d",
    "log_faded_buyers",
    "rise_14_30",
    "rise_30_60",
    "log_customer_orders",
    "log_customer_days_since",
    "bought_once",
    "overdue",
    "due",
)


def features(known: Known, basis: Basis, affinity: NDArray[Any]) -> Floats:
    """float64[pairs, FEATURES]: what is known of each customer's own article.

    Args:
        affinity: [customers, articles], EASE's scores with trend.
    """
    statistics, buyers = basis.statistics, basis.statistics.buyers
    placed = known.customer_orders()[known.row].astype(np.float64)
    since = (known.at - known.last).astype(np.float64)
    again = known.orders > 1
    gap = np.where(again, (known.last - known.first) / np.maximum(known.orders - 1, 1), 0.0)
    late = np.where(again, np.log1p(since) - np.log1p(gap), 0.0)
    item = known.article
    columns = (
        np.log1p(known.orders),
        np.log1p(since),
        np.log(known.faded(FADING_DAYS) + 1e-3),
        np.log(np.maximum(affinity[known.row, item], 0.0) + 1e-3),
        np.log(basis.trend[item]),
        (statistics.repeaters[item] + 1.0) / (buyers.ever[item] + 10.0),
        np.log1p(buyers.within(30)[item]),
        np.log1p(buyers.faded[item]),
        (buyers.within(14)[item] + 1.0) / (buyers.within(30)[item] + 2.0),
        (buyers.within(30)[item] + 1.0) / (buyers.within(60)[item] + 2.0),
        np.log1p(placed),
        np.log1p((known.at - known.last_day())[known.row]),
        (~again).astype(np.float64),
        late,
        np.where(again, np.abs(late), 0.0),
    )
    return np.column_stack(columns)


def plain_score(method: str, known: Known, basis: Basis) -> Floats:
    """float64[pairs]: the score of a method that learns nothing.

    Args:
        method: `popularity_30d`, `frequency` (orders with it, then buyers of late) or `faded_frequency`.
    """
    late = basis.statistics.buyers.within(30)
    if method == "popularity_30d":
        return late[known.article].astype(np.float64)
    if method == "frequency":
        return np.asarray(known.orders + late[known.article] / (late.max(initial=0) + 1.0))
    if method == "faded_frequency":
        return known.faded(FADING_DAYS)
    raise ValueError(f"no method {method} here")
