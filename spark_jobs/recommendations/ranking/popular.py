"""Popular: what others buy, per country and everywhere, for guests and newcomers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spark_jobs.recommendations.ranking.histories import Ints, Longs
from spark_jobs.recommendations.ranking.known import Floats, top
from spark_jobs.recommendations.ranking.recipe import LIST_LENGTH
from spark_jobs.recommendations.ranking.statistics import Buyers, Statistics

# A country's own buyers count as much as everybody's once they bought so many articles.
SHRINK = 1000.0
# This much weight of all buyers ever orders what a measure of late buyers leaves equal, most of all at none.
_FOR_EVER = 1e-4


@dataclass(frozen=True)
class Popular:
    """One list.

    Args:
        article: int32[length], without -1.
        score: float64[length], falling.
        times: int64[length], buyers of the last 30 days, of the country or everywhere.
    """

    article: Ints
    score: Floats
    times: Longs


def popular(method: str, statistics: Statistics, country: str | None, length: int = LIST_LENGTH) -> Popular:
    """Rank for a country, or for everywhere.

    Args:
        method: of `METHODS["popular"]`; `popularity_*` gives every country everybody's list.
        country: None for everywhere; one without a buyer gets everybody's list.
    """
    everywhere = _measure(method, statistics.buyers)
    total = everywhere.sum()
    share = everywhere / total if total > 0 else everywhere
    own = statistics.countries.get(country) if country is not None else None
    score = share
    if own is not None and not method.startswith("popularity_"):
        bought = _measure(method, own)
        score = (bought + SHRINK * share) / (bought.sum() + SHRINK)
    ever = statistics.buyers.ever
    score = score + _FOR_EVER * ever / max(int(ever.sum()), 1)
    best, value = top(np.where(ever > 0, score, -np.inf)[None, :], length)
    kept = best[0] >= 0
    times = (own if own is not None else statistics.buyers).within(30)
    return Popular(best[0][kept], value[0][kept], times[best[0][kept]])


def _measure(method: str, buyers: Buyers) -> Floats:
    if method.endswith("_all"):
        return buyers.ever.astype(np.float64)
    return buyers.within(30).astype(np.float64) if method.endswith("_30d") else buyers.faded
