"""Which days have an index, and what each is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum

DAYS_AHEAD = 2
"""A shipper's clock may be ahead, and its bounds allow an event the day after the file was first seen."""

LATE_DAYS = 3
"""A file may be first seen up to two days after its event, and that day ends a day later: then a day is over."""


class Standing(Enum):
    """What becomes of an entry because of its day."""

    KEPT = "kept"
    PAST = "past retention"
    OUT_OF_RANGE = "out of range"


@dataclass(frozen=True)
class IndexDays:
    """The days of one family of indices.

    Args:
        family: the physical name of the family; an index is called `<family>-<YYYY.MM.DD>`.
        retention_days: days before today that are kept, at least 1.
        backfill: first and last day, both included, that are kept however old; None for none.
    """

    family: str
    retention_days: int
    backfill: tuple[date, date] | None = None
    _form: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        form = re.compile(rf"{re.escape(self.family)}-([0-9]{{4}})\.([0-9]{{2}})\.([0-9]{{2}})")
        object.__setattr__(self, "_form", form)

    @property
    def pattern(self) -> str:
        """Matches every index of the family, and perhaps others: `day_of` tells which."""
        return f"{self.family}-*"

    def name(self, day: date) -> str:
        """The index of a day."""
        return f"{self.family}-{day.isoformat().replace('-', '.')}"

    def day_of(self, name: str) -> date | None:
        """The day of an index, None if the name is not exactly one of this family's."""
        match = self._form.fullmatch(name)
        if match is None:
            return None
        try:
            return date(*map(int, match.groups()))
        except ValueError:
            return None

    def standing(self, day: date, today: date) -> Standing:
        """Say whether a day has an index, and if not, why."""
        if self._in_backfill(day) or self._first(today) <= day <= today + timedelta(DAYS_AHEAD):
            return Standing.KEPT
        return Standing.PAST if day < today else Standing.OUT_OF_RANGE

    def expired(self, day: date, today: date) -> bool:
        """Whether a day's index is to be deleted; a day of the back-fill and one to come never is."""
        return day < self._first(today) and not self._in_backfill(day)

    def over(self, day: date, today: date) -> bool:
        """Whether nothing is written into a day's index any more, late files and redeliveries left aside."""
        return (today - day).days >= LATE_DAYS

    def coming(self, today: date) -> Iterator[date]:
        """The days whose index has to stand before their first entry comes: today and tomorrow."""
        yield today
        yield today + timedelta(1)

    def _first(self, today: date) -> date:
        return today - timedelta(self.retention_days)

    def _in_backfill(self, day: date) -> bool:
        return self.backfill is not None and self.backfill[0] <= day <= self.backfill[1]
