"""The UTC day whose index holds an entry: bounded by when its file was first seen, and the same for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from contracts.scalars import timestamp
from services.kernel.core.errors import Misconfigured

DAYS_BEFORE = 2
DAYS_AFTER = 1
MAX_BACKFILL_DAYS = 400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Backfill:
    """Days of old files that may have indices of their own; both ends are within.

    Raises:
        Misconfigured: the last is before the first, or there are more than 400.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if not 0 <= (self.last - self.first).days < MAX_BACKFILL_DAYS:
            raise Misconfigured(
                f"a back-fill has 1 to {MAX_BACKFILL_DAYS} days, from the earlier to the later"
            )


class IndexDays:
    """The days that entries of one file may be indexed under: four, and those of the back-fill.

    Args:
        first_seen_ms: when the file was first seen, in milliseconds since 1970.
    """

    def __init__(self, first_seen_ms: int, backfill: Backfill | None) -> None:
        self.first_seen = timestamp(_EPOCH + timedelta(milliseconds=first_seen_ms))
        self.first_day = self.first_seen[:10]
        middle = date.fromisoformat(self.first_day).toordinal()
        days = set(range(middle - DAYS_BEFORE, middle + DAYS_AFTER + 1))
        if backfill is not None:
            days |= set(range(backfill.first.toordinal(), backfill.last.toordinal() + 1))
        within = (day for day in days if date.min.toordinal() <= day <= date.max.toordinal())
        self._allowed = frozenset(date.fromordinal(day).isoformat() for day in within)

    def of(self, event_day: str) -> str:
        """The index day of an event: its own day if that is allowed, else the day of first seeing."""
        return event_day if event_day in self._allowed else self.first_day
