"""What counts as bought at a day: cancellations taken off, and nothing known that came later."""

from __future__ import annotations

import numpy as np

from spark_jobs.recommendations.ranking.histories import Histories


def purchases(histories: Histories, at: int) -> Histories:
    """The sale events before a day, without those of articles that the customer had given back in full by then.

    A customer's article whose units of all events before `at` sum to zero or less is no purchase; of any other, every
    sale event counts. What happens from `at` on never matters.

    Args:
        at: days since 1970-01-01.
    """
    past = histories.before(at)
    if not len(past.article):
        return past
    key = past.row * (int(past.article.max()) + 1) + past.article
    _, pair = np.unique(key, return_inverse=True)
    kept = np.bincount(pair, weights=past.units) > 0
    return past.where(kept[pair] & (past.units > 0))
