"""Weeks of ISO 8601, from Monday to Sunday. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = re.compile(r"([0-9]{4})-W([0-9]{2})")
_DAYS = 7


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """One week.

    Args:
        monday: its first day.
    """

    monday: date

    @classmethod
    def named(cls, name: str) -> Week:
        """Read a name such as 2011-W48.

        Raises:
            ValueError: there is no such week.
        """
        match = _NAME.fullmatch(name)
        try:
            if match is not None:
                return cls.of(int(match[1]), int(match[2]))
        except ValueError:
            pass
        raise ValueError(f"{name!r} is no week such as 2011-W48")

    @classmethod
    def of(cls, iso_year: int, iso_week: int) -> Week:
        """The week of these numbers."""
        return cls(date.fromisocalendar(iso_year, iso_week, 1))

    @classmethod
    def last_full(cls, last_day: date) -> Week:
        """The last one that is over by the end of a day."""
        sunday = last_day - timedelta(last_day.isoweekday() % _DAYS)
        return cls(sunday - timedelta(_DAYS - 1))

    @property
    def sunday(self) -> date:
        """Its last day."""
        return self.monday + timedelta(_DAYS - 1)

    def later(self, weeks: int) -> Week:
        """The one so many weeks later, earlier if below zero."""
        return Week(self.monday + timedelta(weeks * _DAYS))

    def __str__(self) -> str:
        """Its name."""
        iso = self.monday.isocalendar()
        return f"{iso.year:04}-W{iso.week:02}"
