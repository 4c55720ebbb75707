"""The edges of the share of rejected records: a fifth, a hundred, a thousand."""

from __future__ import annotations

import pytest

from services.kernel.streams.reject_rate import RejectRate


def rate_of(*runs: tuple[int, bool]) -> RejectRate:
    rate = RejectRate()
    for count, rejected in runs:
        for _ in range(count):
            rate.add(rejected)
    return rate


@pytest.mark.parametrize(
    ("good", "bad", "too_high"),
    [
        (0, 99, False),
        (0, 100, True),
        (400, 100, False),
        (399, 100, True),
        (800, 200, False),
        (799, 201, True),
        (0, 0, False),
    ],
)
def test_more_than_a_fifth_and_at_least_a_hundred(good: int, bad: int, too_high: bool) -> None:
    assert rate_of((good, False), (bad, True)).too_high is too_high


def test_only_the_last_thousand_count() -> None:
    assert rate_of((5_000, False), (201, True)).too_high
    assert not rate_of((5_000, False), (200, True)).too_high
    assert rate_of((300, True), (799, False)).too_high
    assert not rate_of((300, True), (800, False)).too_high


def test_after_a_reset_only_what_comes_then_counts() -> None:
    rate = rate_of((1_000, True))
    rate.reset()
    for _ in range(99):
        rate.add(True)
    assert not rate.too_high
    rate.add(True)
    assert rate.too_high
    for _ in range(901):
        rate.add(False)
    assert not rate.too_high


def test_after_a_reset_nothing_from_before_dilutes() -> None:
    rate = rate_of((1_000, False))
    rate.reset()
    for _ in range(100):
        rate.add(True)
    assert rate.too_high


def test_it_is_the_oldest_of_the_thousand_that_leaves() -> None:
    rate = rate_of((1, True), (799, False), (200, True))
    assert rate.too_high
    rate.add(False)
    assert not rate.too_high
