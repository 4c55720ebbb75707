"""Freshness is told by the nearest rank, and a lost order is never left out."""

from __future__ import annotations

import pytest

from deploy.local.freshness import Freshness


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [(200, 0.5, 100), (200, 0.99, 198), (200, 1.0, 200), (1, 0.99, 1), (3, 0.5, 2), (100, 0.99, 99)],
)
def test_a_quantile_is_the_nearest_rank(count: int, share: float, rank: int) -> None:
    assert Freshness([float(number) for number in range(1, count + 1)], 0, 0).quantile_s(share) == rank


def test_lost_and_wrong_orders_are_counted() -> None:
    fresh = Freshness([0.1, 0.2], never=1, wrong=2)
    assert fresh.as_json() == {
        "orders": 5,
        "p50_s": 0.1,
        "p99_s": 0.2,
        "max_s": 0.2,
        "goal_s": 2.0,
        "never": 1,
        "wrong": 2,
    }
    assert not fresh.met
    assert Freshness([], 0, 0).quantile_s(0.5) is None
