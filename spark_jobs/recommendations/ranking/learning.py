"""Examples that weights are learned from: a bounded choice of customers, in an order that no block decides."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.known import Floats

MOST_CUSTOMERS = 10_000


@dataclass(frozen=True)
class Examples:
    """Rows of features with labels, each of some customer.

    Args:
        customers: object[n], ids.
        features: float64[n, features].
        labels: float64[n], 0 or 1.
    """

    customers: NDArray[Any]
    features: Floats
    labels: Floats


def gather(parts: Iterable[Examples]) -> Examples:
    """All examples, sorted by customer; a customer's own keep their order."""
    found = list(parts)
    customers = np.concatenate([part.customers for part in found])
    order = np.argsort(customers, kind="stable")
    return Examples(
        customers[order],
        np.concatenate([part.features for part in found])[order],
        np.concatenate([part.labels for part in found])[order],
    )


def chosen(block: Histories, customers: int, most: int = MOST_CUSTOMERS) -> Histories:
    """Some of a block's customers, so that of all blocks about `most` are taken; by a hash of the id, not by place.

    Args:
        customers: how many there are in all blocks.
    """
    if customers <= most:
        return block
    share = most / customers
    return block.of([row for row, name in enumerate(block.customers) if lot(name) < share])


def lot(name: str) -> float:
    """A number from 0 up to, without, 1 that a name always draws."""
    return zlib.crc32(name.encode()) / 2.0**32


Work = Callable[[Histories], Examples]
