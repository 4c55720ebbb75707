"""A shop of a few customers, by hand, and answers that a test can foresee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spark_jobs.recommendations.ranking.histories import Articles, Histories, InProcess

Event = tuple[int, int, int]
"""Day, article, units; events of one day are one order."""


def histories(events: Mapping[str, Sequence[Event]], country: str = "EIRE") -> Histories:
    """Customers in order of their names."""
    names = sorted(events)
    rows = [sorted(events[name]) for name in names]
    orders = [np.unique([day for day, _, _ in row], return_inverse=True)[1] for row in rows]
    flat = [event for row in rows for event in row]
    columns = np.array(flat, np.int32).reshape(-1, 3)
    return Histories(
        tuple(names),
        tuple(country for _ in names),
        np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
        columns[:, 1],
        columns[:, 0],
        np.concatenate([*orders, np.zeros(0)]).astype(np.int32),
        columns[:, 2],
    )


def in_blocks(whole: Histories, size: int) -> InProcess:
    """Cut into blocks."""
    return InProcess(
        whole.of(range(first, min(first + size, len(whole)))) for first in range(0, len(whole), size)
    )


def articles(count: int) -> Articles:
    """Articles 0 to count - 1."""
    return Articles(
        tuple(f"{number:05}" for number in range(count)), tuple(f"TEXT {n}" for n in range(count))
    )


def drawn(customers: int, count: int, first: int, last: int, seed: int = 1) -> dict[str, list[Event]]:
    """Customers with three to eight orders each, of articles that they prefer."""
    random = np.random.default_rng(seed)
    found: dict[str, list[Event]] = {}
    for number in range(customers):
        likes = random.permutation(count)[: max(3, count // 3)]
        days = np.unique(random.integers(first, last, random.integers(3, 9)))
        found[f"c{number:03}"] = [
            (int(day), int(article), 1 + int(article) % 3)
            for day in days
            for article in np.unique(random.choice(likes, 4))
        ]
    return found


def baskets(whole: Histories) -> Histories:
    """Each sale order as a row of its own."""
    events: dict[str, list[Event]] = {}
    for row, name in enumerate(whole.customers):
        for event in range(whole.starts[row], whole.starts[row + 1]):
            if whole.units[event] > 0:
                key = f"{name}/{whole.order[event]}"
                events.setdefault(key, []).append(
                    (int(whole.day[event]), int(whole.article[event]), int(whole.units[event]))
                )
    return histories(events)
