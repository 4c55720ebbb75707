"""Times of requests, in every form that Apache can write, as one instant in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.log_shipper.event_time import Moment, clf_time
from services.log_shipper.format_tokens import Directive
from services.log_shipper.time_format import time_format

_TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


def _read(argument: str, text: str) -> str:
    moment = Moment()
    time_format(Directive("t", argument, None, 1)).read(text, moment)
    return moment.instant()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03.000Z"),
        ("17/may/2015:10:05:03 +0530", "2015-05-17T04:35:03.000Z"),
        ("31/December/2015:23:05:17 -0800", "2016-01-01T07:05:17.000Z"),
        ("29/Feb/2016:00:00:00 +0100", "2016-02-28T23:00:00.000Z"),
        ("31/Dec/2016:23:59:60 +0000", "2017-01-01T00:00:00.000Z"),
        ("01/Jan/0001:00:45:00 +0030", "0001-01-01T00:15:00.000Z"),
        ("31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_is_one_instant(text: str, instant: str) -> None:
    assert clf_time(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "17/May/2015:10:05:03",
        "30/Feb/2015:10:05:03 +0000",
        "29/Feb/2015:10:05:03 +0000",
        "17/Mai/2015:10:05:03 +0000",
        "17/May/2015:24:05:03 +0000",
        "17/May/2015:10:60:03 +0000",
        "17/May/2015:10:05:60 +0000",
        "17/May/2015:10:05:61 +0000",
        "00/May/2015:10:05:03 +0000",
        "17/May/0000:10:05:03 +0000",
        "01/Jan/0001:00:00:00 +0100",
        "31/Dec/9999:23:59:59 -0100",
        "17/May/2015:10:05:03 +9900",
        "17/May/2015:10:05:03 +0060",
        "\u0661\u0667/May/2015:10:05:03 +0000",
    ],
)
def test_what_never_was_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        clf_time(text)


@given(_TIMES, st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_every_time_zone_gives_the_same_instant(moment: datetime, offset_minutes: int) -> None:
    sign, minutes = "-" if offset_minutes < 0 else "+", abs(offset_minutes)
    local = datetime.fromtimestamp(moment.timestamp() + offset_minutes * 60, UTC) if moment.year > 1 else None
    if local is None or not 1 < local.year < 9999:
        return
    # strftime writes years below 1000 without zeros.
    day = f"{local:%d/%b/}{local.year:04d}"
    text = f"{day}:{local:%H:%M:%S} {sign}{minutes // 60:02d}{minutes % 60:02d}"
    assert clf_time(text) == f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.000Z"


@pytest.mark.parametrize(
    ("argument", "text", "instant"),
    [
        ("sec", "1431857103", "2015-05-17T10:05:03.000Z"),
        ("begin:msec", "1431857103250", "2015-05-17T10:05:03.250Z"),
        ("usec", "1431857103250999", "2015-05-17T10:05:03.250Z"),
        ("%s", "1431857103", "2015-05-17T10:05:03.000Z"),
        ("%Y-%m-%dT%H:%M:%S%z", "2015-05-17T10:05:03-0100", "2015-05-17T11:05:03.000Z"),
        ("%F %T", "2015-05-17 10:05:03", "2015-05-17T10:05:03.000Z"),
        ("%a, %e %B %y %I:%M %p %Z", "Sun,  7 May 15 12:05 AM GMT", "2015-05-07T00:05:00.000Z"),
        ("%Y %j %H", "2016 366 07", "2016-12-31T07:00:00.000Z"),
        ("%c", "Sun May 17 10:05:03 2015", "2015-05-17T10:05:03.000Z"),
        ("[%d/%b/%Y:%H:%M:%S %z]", "[17/May/2015:10:05:03 +0200]", "2015-05-17T08:05:03.000Z"),
        ("100%%%F %R", "100%2015-05-17 10:05", "2015-05-17T10:05:00.000Z"),
    ],
)
def test_a_time_format_is_read_as_strftime_writes_it(argument: str, text: str, instant: str) -> None:
    assert _read(argument, text) == instant


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("%F %T", "2015-13-17 10:05:03"),
        ("%F %T %Z", "2015-05-17 10:05:03 CEST"),
        ("%I %p %F", "13 AM 2015-05-17"),
    ],
)
def test_what_a_time_format_cannot_mean_is_no_time(argument: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _read(argument, text)


@given(_TIMES)
def test_iso_times_round_trip(moment: datetime) -> None:
    text = f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}"
    assert _read("%Y-%m-%dT%H:%M:%S", text) == f"{text}.000Z"
