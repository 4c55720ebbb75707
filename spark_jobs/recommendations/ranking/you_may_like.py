"""You may like: articles that the customer never bought, by what speaks for them and whether they are on the rise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.known import Floats, Known

# The learned order is one of so many articles of each customer, the best of EASE with trend.
LOOKED_AT = 100

FEATURES = (
    "log_score",
    "log_score_of_best",
    "log_place",
    "log_trend",
    "log_buyers",
    "log_buyers_30d",
    "log_buyers_14d",
    "rise_14_30",
    "repeat_rate",
    "log_customer_orders",
    "log_customer_articles",
    "log_customer_days_since",
)


def unseen(scores: NDArray[Any], known: Known, sold: NDArray[np.bool_]) -> NDArray[Any]:
    """The scores, with -inf where the customer bought the article before or nobody did."""
    open_ = np.array(scores)
    row, article = known.seen.nonzero()
    open_[row, article] = -np.inf
    open_[:, ~sold] = -np.inf
    return open_


def features(known: Known, basis: Basis, ranked: NDArray[np.int32], score: Floats) -> Floats:
    """float64[customers × k, FEATURES] of ranked articles, also for places that hold -1.

    Args:
        ranked: int32[customers, k].
        score: float64[customers, k], falling.
    """
    n, k = ranked.shape
    item = np.maximum(ranked, 0)
    buyers = basis.statistics.buyers

    def each(values: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(np.asarray(values)[:, None], (n, k))

    log_score = np.log(np.maximum(np.where(np.isfinite(score), score, 0.0), 0.0) + 1e-4)
    columns = (
        log_score,
        each(log_score[:, 0]) if k else log_score,
        np.broadcast_to(np.log(np.arange(1, k + 1)), (n, k)),
        np.log(basis.trend[item]),
        np.log1p(buyers.ever[item]),
        np.log1p(buyers.within(30)[item]),
        np.log1p(buyers.within(14)[item]),
        (buyers.within(14)[item] + 1.0) / (buyers.within(30)[item] + 2.0),
        (basis.statistics.repeaters[item] + 1.0) / (buyers.ever[item] + 10.0),
        each(np.log1p(known.customer_orders())),
        each(np.log1p(known.distinct)),
        each(np.log1p(known.at - known.last_day())),
    )
    return np.column_stack([np.ravel(column) for column in columns])
