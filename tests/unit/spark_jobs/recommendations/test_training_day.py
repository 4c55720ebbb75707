"""Which day recommendations are made for, whatever a few clocks say."""

from __future__ import annotations

import pytest

from spark_jobs.recommendations.training_day import training_day

USUAL = {day: 40 for day in range(100, 200) if day % 7 != 2}
BUSIEST_WEEK = 6 * 40


@pytest.mark.parametrize(
    ("strays", "day"),
    [
        ({}, 200),
        ({5_800: 20}, 200),  # 20 who try the shop out today, and orders of last year
        ({5_800: BUSIEST_WEEK // 10 - 1}, 200),
        ({5_800: BUSIEST_WEEK // 10}, 5_801),  # business
        ({203: 1}, 204),  # a quiet day soon after
        ({226: 1}, 200),
        (dict.fromkeys(range(226, 233), 4), 233),
        ({-3: 1}, 200),
    ],
)
def test_a_few_wrong_clocks_are_not_the_newest_day(strays: dict[int, int], day: int) -> None:
    assert training_day({**USUAL, **strays}) == day


def test_one_order_is_a_shop() -> None:
    assert training_day({17: 1}) == 18
