"""Which day has an index, how it is called, and when it goes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.log_indexer.index_days import IndexDays, Standing

TODAY = date(2026, 3, 1)
DAYS = IndexDays("shop-access-logs", retention_days=30)
BACKFILLED = IndexDays("shop-access-logs", 30, (date(2015, 5, 17), date(2015, 5, 20)))


def test_an_index_is_called_by_its_day() -> None:
    assert DAYS.name(date(2026, 3, 1)) == "shop-access-logs-2026.03.01"
    assert DAYS.pattern == "shop-access-logs-*"


@given(st.dates())
def test_a_name_tells_its_day(day: date) -> None:
    assert DAYS.day_of(DAYS.name(day)) == day


@pytest.mark.parametrize(
    "name",
    [
        "shop-access-logs-2026.03.01-restored",
        "shop-access-logs-2026.02.30",
        "shop-access-logs-2026-03-01",
        "shop-access-logs-2026.3.1",
        "shop-access-logs-",
        "shop-access-logs-metadata",
        "a-shop-access-logs-2026.03.01",
        "shopXaccess-logs-2026.03.01",
        "shop-access-logs-2026.03.01\n",
        "shop-access-logs-\uff12\uff10\uff12\uff16.03.01",
        "eu-shop-access-logs-access-logs-2026.03.01",
    ],
)
def test_a_name_that_is_not_exactly_ours_has_no_day(name: str) -> None:
    assert DAYS.day_of(name) is None


@pytest.mark.parametrize(
    ("days_ago", "standing"),
    [
        (31, Standing.PAST),
        (30, Standing.KEPT),
        (0, Standing.KEPT),
        (-2, Standing.KEPT),
        (-3, Standing.OUT_OF_RANGE),
    ],
)
def test_a_day_stands_within_retention_and_two_days_ahead(days_ago: int, standing: Standing) -> None:
    assert DAYS.standing(TODAY - timedelta(days_ago), TODAY) is standing


def test_the_first_and_last_day_there_are_have_a_standing() -> None:
    assert DAYS.standing(date.min, TODAY) is Standing.PAST
    assert DAYS.standing(date.max, TODAY) is Standing.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("day", "standing"),
    [
        (date(2015, 5, 16), Standing.PAST),
        (date(2015, 5, 17), Standing.KEPT),
        (date(2015, 5, 20), Standing.KEPT),
        (date(2015, 5, 21), Standing.PAST),
        (TODAY, Standing.KEPT),
    ],
)
def test_a_day_of_the_back_fill_is_kept_however_old(day: date, standing: Standing) -> None:
    assert BACKFILLED.standing(day, TODAY) is standing
    assert BACKFILLED.expired(day, TODAY) is (standing is Standing.PAST)


@given(st.dates(), st.booleans())
def test_what_is_taken_is_never_deleted_and_what_is_deleted_never_taken(day: date, backfilled: bool) -> None:
    days = BACKFILLED if backfilled else DAYS
    standing = days.standing(day, TODAY)
    assert days.expired(day, TODAY) is (standing is Standing.PAST)


def test_today_and_tomorrow_are_made_ahead() -> None:
    assert list(DAYS.coming(TODAY)) == [TODAY, date(2026, 3, 2)]
    assert all(DAYS.standing(day, TODAY) is Standing.KEPT for day in DAYS.coming(TODAY))


@pytest.mark.parametrize(("days_ago", "over"), [(-1, False), (0, False), (2, False), (3, True), (40, True)])
def test_a_day_is_over_once_no_late_file_writes_into_it(days_ago: int, over: bool) -> None:
    assert DAYS.over(TODAY - timedelta(days_ago), TODAY) is over
