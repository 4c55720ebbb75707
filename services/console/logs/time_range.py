"""A stretch of time that is asked about, the days that it touches and the steps that it is shown in. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

DAY_MS = 24 * 3600 * 1000
MAX_RANGE_DAYS = 7
MAX_BUCKETS = 1_000
SENSIBLE_BUCKETS = 150
EARLIEST, LATEST = "1990-01-01T00:00:00Z", "2200-01-01T00:00:00Z"
"""Times outside are slips, not logs."""

INTERVALS_MS = {
    "1s": 1_000,
    "10s": 10_000,
    "30s": 30_000,
    "1m": 60_000,
    "5m": 300_000,
    "10m": 600_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "3h": 10_800_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": DAY_MS,
}
"""The steps that a histogram may have, fixed in length and aligned to the epoch."""

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?\Z"
)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From a moment on until before another one.

    Args:
        from_ms, to_ms: milliseconds since the epoch; `from_ms` is before `to_ms`.
    """

    from_ms: int
    to_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.to_ms - self.from_ms

    def days(self) -> list[str]:
        """The UTC days that it touches, as `YYYY.MM.DD`, in order."""
        first, last = self.from_ms // DAY_MS, (self.to_ms - 1) // DAY_MS
        return [_date(day * DAY_MS).strftime("%Y.%m.%d") for day in range(first, last + 1)]

    def sensible_interval(self) -> str:
        """The shortest step that gives at most SENSIBLE_BUCKETS; a day for what is very long."""
        fitting = (name for name in INTERVALS_MS if self.steps(name) <= SENSIBLE_BUCKETS)
        return next(fitting, "1d")

    def steps(self, interval: str) -> int:
        """How many steps of this length it touches."""
        length = INTERVALS_MS[interval]
        return (self.to_ms - 1) // length - self.from_ms // length + 1

    def buckets(self, interval: str) -> list[int]:
        """The beginning of each step, in milliseconds since the epoch; the first may lie before the range."""
        length = INTERVALS_MS[interval]
        first = self.from_ms // length * length
        return list(range(first, self.to_ms, length))


def milliseconds(text: str) -> int | None:
    """Read an RFC 3339 time, or a date for its midnight in UTC.

    Returns:
        Milliseconds since the epoch; None where it is neither, or not between EARLIEST and LATEST.
    """
    if _TIME.match(text) is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    found = int(aware.timestamp() * 1000)
    return found if _EARLIEST_MS <= found <= _LATEST_MS else None


def written(at_ms: int) -> str:
    """A moment as RFC 3339 in UTC, with milliseconds."""
    return _date(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _date(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


_EARLIEST_MS = int(datetime.fromisoformat(EARLIEST).timestamp() * 1000)
_LATEST_MS = int(datetime.fromisoformat(LATEST).timestamp() * 1000)
