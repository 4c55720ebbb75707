"""Index days are few, whatever a file claims."""

from __future__ import annotations

from datetime import date

import pytest

from services.kernel.core.errors import Misconfigured
from services.log_shipper.index_day import Backfill, IndexDays

# 2026-03-01T12:00:00Z
_FIRST_SEEN_MS = 1_772_366_400_000


@pytest.mark.parametrize(
    ("event_day", "index_day"),
    [
        ("2026-02-26", "2026-03-01"),
        ("2026-02-27", "2026-02-27"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-02", "2026-03-02"),
        ("2026-03-03", "2026-03-01"),
        ("0001-01-01", "2026-03-01"),
        ("9999-12-31", "2026-03-01"),
    ],
)
def test_an_event_s_day_counts_near_the_day_of_first_seeing(event_day: str, index_day: str) -> None:
    assert IndexDays(_FIRST_SEEN_MS, None).of(event_day) == index_day


def test_a_back_fill_allows_its_days_as_well() -> None:
    days = IndexDays(_FIRST_SEEN_MS, Backfill(date(2015, 5, 17), date(2015, 5, 20)))
    assert [days.of(f"2015-05-{day}") for day in (16, 17, 20, 21)] == [
        "2026-03-01",
        "2015-05-17",
        "2015-05-20",
        "2026-03-01",
    ]


@pytest.mark.parametrize("last", [date(2015, 5, 16), date(2016, 6, 20)])
def test_a_back_fill_has_400_days_at_most(last: date) -> None:
    with pytest.raises(Misconfigured, match="1 to 400 days"):
        Backfill(date(2015, 5, 17), last)


def test_the_first_day_that_there_is_has_none_before_it() -> None:
    assert IndexDays(-62_135_596_800_000, None).of("0001-01-02") == "0001-01-02"
