"""Item-kNN: articles are alike as far as the same customers, or orders, have both."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from spark_jobs.recommendations.ranking.known import Floats, top

NEIGHBOURS = 100
SHRINK = 20.0

_SLICE = 512


def cosine(together: Floats, shrink: float = SHRINK) -> Floats:
    """float64[articles, articles]: co-occurrence / (root of both counts' product + shrink), diagonal 0.

    Args:
        together: counts of both, on the diagonal of each one.
    """
    count = np.sqrt(np.diag(together))
    alike = together / (np.outer(count, count) + shrink)
    np.fill_diagonal(alike, 0.0)
    return np.asarray(alike)


def nearest(alike: Floats, k: int = NEIGHBOURS) -> Any:
    """CSR float32 [articles, articles]: of each column the k largest entries above 0; equal ones by number."""
    n = len(alike)
    row, column, value = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for first in range(0, n, _SLICE):
        best, score = top(np.ascontiguousarray(alike[:, first : first + _SLICE].T), k)
        of, place = np.nonzero((best >= 0) & (score > 0))
        row.append(best[of, place].astype(np.int64))
        column.append(first + of)
        value.append(score[of, place])
    data = np.concatenate(value).astype(np.float32)
    return sparse.csr_matrix((data, (np.concatenate(row), np.concatenate(column))), shape=(n, n))
