"""Item-kNN: articles are alike as far as the same customers, or orders, have both."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from spark_jobs.recommendations.ranking.known import Floats

NEIGHBOURS = 100
SHRINK = 20.0


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
    width = min(k, n)
    if not width:
        return sparse.csr_matrix((n, n), dtype=np.float32)
    rows, columns, values = [], [], []
    for column in range(n):
        entries = alike[:, column]
        among = np.flatnonzero(entries >= np.partition(entries, n - width)[n - width])
        best = among[np.argsort(-entries[among], kind="stable")][:width]
        best = best[entries[best] > 0]
        rows.append(best)
        columns.append(np.full(len(best), column))
        values.append(entries[best])
    data = np.concatenate(values).astype(np.float32)
    return sparse.csr_matrix((data, (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
