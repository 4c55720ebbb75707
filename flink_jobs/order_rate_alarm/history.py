"""What training looks at: orders of the past, counted by the shop's own days and hours."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

TEN_MINUTES = 144
"""Pieces of ten minutes in a day; a local day that is an hour longer counts the repeated hour twice."""
Day = list[int]


class History:
    """Counts of sales by key, local day and time of day.

    Args:
        time_zone: of the shop; its days and hours are what repeats.
    """

    def __init__(self, time_zone: str) -> None:
        self.time_zone = time_zone
        self.zone = ZoneInfo(time_zone)
        self.days: dict[int, Day] = {}
        """All orders of a local day (proleptic ordinal), by pieces of ten minutes."""
        self.countries: dict[str, dict[int, Day]] = defaultdict(dict)
        """Orders of one country, by day and by hour (24)."""
        self.value_by_day: dict[int, float] = defaultdict(float)
        self.value_by_country: dict[str, float] = defaultdict(float)
        self.currencies: Counter[str] = Counter()
        self._hours: dict[int, tuple[int, int]] = {}

    def add(self, ordered_at_ms: int, country: str, value: float, currency: str) -> None:
        """Count one sale."""
        minutes = ordered_at_ms // 60_000
        day, local_minute = self.local(minutes)
        self.days.setdefault(day, [0] * TEN_MINUTES)[local_minute // 10] += 1
        by_hour = self.countries[country].setdefault(day, [0] * 24)
        by_hour[local_minute // 60] += 1
        self.value_by_day[day] += value
        self.value_by_country[country] += value
        self.currencies[currency] += 1

    def local(self, minutes: int) -> tuple[int, int]:
        """The local day and its minute of a moment in minutes since 1970, UTC."""
        quarter = minutes // 15
        known = self._hours.get(quarter)
        if known is None:
            moment = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self.zone)
            known = self._hours[quarter] = (moment.toordinal(), moment.hour * 60 + moment.minute)
        return known[0], known[1] + minutes % 15
