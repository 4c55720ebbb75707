"""Timestamps, dates and decimals: what is one, and what only looks like one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.scalars import canonical_timestamp, decimal_check, is_date, is_timestamp, timestamp

is_price = decimal_check(18, 4)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_has_one_text(moment: datetime) -> None:
    """What `timestamp` writes is a timestamp, and reads back as the same millisecond."""
    text = timestamp(moment)
    assert is_timestamp(text)
    assert datetime.fromisoformat(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert canonical_timestamp(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "2011-02-29T00:00:00.000Z", "1900-02-29T00:00:00.000Z", "2010-13-01T00:00:00.000Z", "2010-12-32T00:00:00.000Z",
        "2010-12-01T24:00:00.000Z", "2010-12-01T23:60:00.000Z", "2010-12-31T23:59:60.000Z", "0000-12-01T00:00:00.000Z",
        "2010-12-01T00:00:00Z", "2010-12-01T00:00:00.0000Z", "2010-12-01 00:00:00.000Z", "2010-12-01T00:00:00.000z",
        "2010-12-01T00:00:00.000+00:00", " 2010-12-01T00:00:00.00Z", "\u0662010-12-01T00:00:00.000Z", "",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_timestamp(text: str) -> None:
    """One form alone, and only moments that exist."""
    assert not is_timestamp(text)


@pytest.mark.parametrize(
    "text", ["2012-02-29T00:00:00.000Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
)
def test_edges_of_time(text: str) -> None:
    """Leap days and both ends of the calendar are timestamps."""
    assert is_timestamp(text)


def test_a_moment_without_a_zone_is_refused() -> None:
    """A wall clock is not an instant."""
    with pytest.raises(ValueError, match="without a time zone"):
        timestamp(datetime(2010, 12, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2010-12-01T08:26:00Z", "2010-12-01T08:26:00.000Z"),
        ("2010-12-01t08:26:00.1234567z", "2010-12-01T08:26:00.123Z"),
        ("2010-12-01T08:26:00.5+05:30", "2010-12-01T02:56:00.500Z"),
        ("2010-12-01T08:26:00-00:00", "2010-12-01T08:26:00.000Z"),
        ("2010-12-01T08:26:00", None),
        ("2010-12-01", None),
        ("2010-12-01T08:26:60Z", None),
        ("2010-02-30T08:26:00Z", None),
        ("2010-12-01T08:26:00+24:00", None),
        ("2010-12-01T08:26:00+01:60", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2010-12-01T08:26:00Z\n", None),
        ("x" * 1000, None),
    ],
)
def test_canonical_timestamp(text: str, canonical: str | None) -> None:
    """Any RFC 3339 time of a moment that exists becomes the one form."""
    assert canonical_timestamp(text) == canonical


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_canonical_timestamp_keeps_the_instant(local: datetime, offset_min: int) -> None:
    """The offset changes the text, never the instant."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    assert canonical_timestamp(moment.isoformat()) == timestamp(moment)


@given(st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=4))
def test_every_decimal_that_fits_is_one(number: Decimal) -> None:
    """Plain notation of anything within the size."""
    assert is_price(f"{number:f}")


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "00012.50", "-11062.06", "99999999999999.9999"])
def test_decimals(text: str) -> None:
    """Digits are kept as written."""
    assert is_price(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".5",
        "5.",
        "+1",
        "1e3",
        "1,5",
        " 1",
        "1\n",
        "NaN",
        "\u0661",
        "100000000000000",
        "1.00001",
        "--1",
        "1" * 1000,
    ],
)
def test_what_only_looks_like_a_decimal(text: str) -> None:
    """No exponent, no plus, no foreign digits, nothing past the size."""
    assert not is_price(text)


def test_a_decimal_without_scale_has_no_point() -> None:
    """Scale 0 is a whole number."""
    assert decimal_check(4, 0)("1234")
    assert not decimal_check(4, 0)("1.0")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2012-02-29", True),
        ("2011-02-29", False),
        ("2011-2-9", False),
        ("20110209", False),
        ("2011-02-09\n", False),
    ],
)
def test_dates(text: str, right: bool) -> None:
    """One form alone, and only days that exist."""
    assert is_date(text) is right
