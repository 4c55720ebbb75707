"""Ranges of time: the days they touch, the steps they are shown in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.logs.time_range import (
    DAY_MS,
    INTERVALS_MS,
    SENSIBLE_BUCKETS,
    TimeRange,
    milliseconds,
    written,
)

MOMENTS = st.integers(milliseconds("1990-01-01") or 0, milliseconds("2199-12-01") or 0)
RANGES = st.builds(
    lambda start, length: TimeRange(start, start + length), MOMENTS, st.integers(1, 7 * DAY_MS)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("2026-01-02T03:04Z", "2026-01-02T03:04:00.000Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
    ],
)
def test_a_time_is_read_as_utc(text: str, shown: str) -> None:
    found = milliseconds(text)
    assert found is not None
    assert written(found) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-02-30",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04Z",
        "0001-01-01",
        "9999-01-01",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:05+99:00",
        "2026-W01",
        "\uff12026-01-02",
        "2026-01-02\n",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert milliseconds(text) is None


@given(RANGES)
def test_a_range_has_the_days_that_it_touches_and_no_other(within: TimeRange) -> None:
    days = within.days()
    assert days == sorted(set(days))
    assert len(days) <= 8
    for moment in (within.from_ms, within.to_ms - 1, (within.from_ms + within.to_ms - 1) // 2):
        assert written(moment)[:10].replace("-", ".") in days
    assert written(within.from_ms)[:10].replace("-", ".") == days[0]
    assert written(within.to_ms - 1)[:10].replace("-", ".") == days[-1]


@given(RANGES, st.sampled_from(sorted(INTERVALS_MS)))
def test_steps_cover_a_range_without_gaps(within: TimeRange, interval: str) -> None:
    if within.steps(interval) > 20_000:
        return
    length, starts = INTERVALS_MS[interval], within.buckets(interval)
    assert len(starts) == within.steps(interval)
    assert starts[0] <= within.from_ms < starts[0] + length
    assert starts[-1] < within.to_ms <= starts[-1] + length
    assert all(later - earlier == length for earlier, later in pairwise(starts))


@given(RANGES)
def test_a_sensible_interval_gives_a_readable_number_of_steps(within: TimeRange) -> None:
    assert within.steps(within.sensible_interval()) <= SENSIBLE_BUCKETS
