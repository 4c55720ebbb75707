"""The time of a request: Apache's own form, any strftime form, or counts since 1970, as one instant in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from contracts.scalars import timestamp

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {name: number for number, name in enumerate(_MONTHS, 1)}
MONTHS |= {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
_CLF = re.compile(
    r"([0-9]{2})/([A-Za-z]{3,9})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{4})", re.ASCII
)
_CLF_LENGTH = len("17/May/2015:10:05:03 +0000")
_MINUTE_AND_SECOND = re.compile(":[0-5][0-9]:[0-5][0-9]")
_ZONE = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Moment:
    """What the time directives of one line say together.

    Args:
        hour: 0 to 23; with `afternoon` given, 1 to 12.
        zone: such as +0000, Z or UTC; local times without one are taken as UTC.
        epoch_us: microseconds since 1970, which says it all alone.
        fraction_us: microseconds within the second.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    day_of_year: int | None = None
    hour: int | None = None
    minute: int = 0
    second: int = 0
    afternoon: bool | None = None
    zone: str = "Z"
    epoch_us: int | None = None
    fraction_us: int = 0

    def instant(self) -> str:
        """Write it as contracts do, cut to the millisecond.

        Raises:
            ValueError: no such time exists, or not within the years 1 to 9999.
        """
        try:
            return timestamp(self._moment())
        except OverflowError:
            raise ValueError("outside the years 1 to 9999") from None

    def _moment(self) -> datetime:
        if self.epoch_us is not None:
            return _EPOCH + timedelta(microseconds=self.epoch_us + self.fraction_us)
        if self.year is None or self.hour is None:
            raise ValueError("not a whole time")
        second, leap = (59, 1) if self.second == 60 and self.minute == 59 else (self.second, 0)
        zone = _zone(self.zone)
        if self.day_of_year is None:
            month, day, days = self.month or 0, self.day or 0, 0
        else:
            month, day, days = 1, 1, self.day_of_year - 1
        local = datetime(self.year, month, day, self._hour(), self.minute, second, self.fraction_us, zone)
        return local + timedelta(days=days, seconds=leap)

    def _hour(self) -> int:
        hour = self.hour or 0
        if self.afternoon is None:
            return hour
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a 12 hour clock")
        return hour % 12 + 12 * self.afternoon


def clf_time(text: str) -> str:
    """Read `17/May/2015:10:05:03 +0000`, the month in three letters or in full.

    Returns:
        the instant as contracts write it. A leap second is the first moment of the next minute, as in POSIX.

    Raises:
        ValueError: it is no such time, or one that never was.
    """
    if len(text) == _CLF_LENGTH and text.endswith("00") and _MINUTE_AND_SECOND.fullmatch(text, 14, 20):
        # Zones of whole hours change neither minute nor second, and the hour is mostly a known one.
        return f"{_utc_hour(text[:14], text[20:])}{text[14:20]}.000Z"
    return _clf_time(text)


@lru_cache(maxsize=4096)
def _utc_hour(hour: str, zone: str) -> str:
    return _clf_time(f"{hour}:00:00{zone}")[:13]


def _clf_time(text: str) -> str:
    match = _CLF.fullmatch(text)
    if match is None:
        raise ValueError("not day/month/year:hour:minute:second zone")
    day, month, year, hour, minute, second, zone = match.groups()
    return Moment(
        year=int(year),
        month=month_number(month),
        day=int(day),
        hour=int(hour),
        minute=int(minute),
        second=int(second),
        zone=zone,
    ).instant()


def month_number(name: str) -> int:
    """Number of an English month, 1 to 12.

    Raises:
        ValueError: it is none.
    """
    number = MONTHS.get(name.lower())
    if number is None:
        raise ValueError("not an English month")
    return number


def _zone(text: str) -> timezone:
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    match = _ZONE.fullmatch(text)
    if match is None or int(match[3]) > 59 or int(match[2]) > 23:
        raise ValueError("not a time zone that can be told from its name")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)
