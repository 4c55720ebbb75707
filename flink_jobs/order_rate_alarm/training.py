"""Learns a baseline from the orders of the past.

A day counts less the longer ago it is. What is known of little (a weekday's hours, a country) is drawn towards what
is known of much (all weekdays, all countries), as if a few orders of the latter had been seen: the posterior mean
of a Dirichlet or gamma prior. How much counts vary is not read off the days that were learned from: for each of the
last weeks the baseline is learned from what came before it, and the week is compared with what that expected.
Source: Gelman et al., "Bayesian Data Analysis", 3rd ed., 2013, chapters 2.6 and 3.4.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import pairwise

from flink_jobs.order_rate_alarm.baseline import HALF_HOURS, TOTAL, Baseline, KeyModel
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.history import History
from flink_jobs.order_rate_alarm.holidays import closed_days
from flink_jobs.order_rate_alarm.residuals import Residuals

LEAST_DAYS = 14
"""Local days with orders before a baseline can be learned."""
LEVEL_HALF_LIFE_DAYS = 7.0
SHAPE_HALF_LIFE_DAYS = 56.0
COUNTRY_HALF_LIFE_DAYS = 56.0
PRIOR_WEEKDAYS = 3.0
"""Weeks in which a weekday is as if it were like the others."""
PRIOR_SHAPE_ORDERS = 20.0
PRIOR_SHARE_ORDERS = 200.0
PRIOR_HOUR_ORDERS = 30.0
PRIOR_VALUE_ORDERS = 20.0
COMPARED_WEEKS = 16
CLOSED_AFTER_WEEKS = 3
"""A weekday without an order in its last so many weeks is one on which the shop is closed."""
MOST_RATIO = 3.0
"""A day with more than this times the usual orders, or less than one by it, counts as just this."""
AHEAD_DAYS = 400


class TooLittle(ValueError):
    """There are too few days before the moment to learn from; nothing was made."""


@dataclass(frozen=True)
class _Week:
    """What was learned up to a day: orders of each half hour of the week."""

    rates: tuple[tuple[float, ...], ...]


@dataclass
class Trainer:
    """Learns baselines from one history, at any number of moments; it reads only the days before each.

    Args:
        holidays: the days of a year on which the shop may be closed.
    """

    history: History
    holidays: Callable[[int], Iterable[date]] = closed_days
    _weeks: dict[int, _Week] = field(default_factory=dict, init=False)
    _compared: dict[int, Residuals] = field(default_factory=dict, init=False)
    _holidays: dict[int, frozenset[int]] = field(default_factory=dict, init=False)

    def train(self, until: date) -> Baseline:
        """Learn from the local days before `until`.

        Raises:
            TooLittle: fewer than 14 of them have orders.
        """
        end = until.toordinal()
        week = self._week(end)
        laws = self._laws(end)
        midnight = datetime.combine(until, time(), self.history.zone)
        closed = self._closed_ahead(end)
        keys = self._keys(end)
        currency = self.history.currencies.most_common(1)[0][0]
        fingerprint = hashlib.sha256(repr((week, laws, sorted(closed), sorted(keys.items()))).encode())
        return Baseline(
            version=f"{until.isoformat()}.{fingerprint.hexdigest()[:8]}",
            trained_until_ms=int(midnight.timestamp() * 1000),
            time_zone=self.history.time_zone,
            currency=currency,
            week=week.rates,
            laws=laws,
            keys=keys,
            closed=closed,
        )

    def _week(self, end: int) -> _Week:
        if end not in self._weeks:
            self._weeks[end] = self._learn_week(end)
        return self._weeks[end]

    def _learn_week(self, end: int) -> _Week:
        days = [day for day in self.history.days if day < end]
        if len(days) < LEAST_DAYS:
            raise TooLittle(f"{len(days)} days with orders before {date.fromordinal(end)}, not {LEAST_DAYS}")
        usual = [day for day in days if not self._is_holiday(day)] or days
        factors = self._weekday_factors(usual, end)
        level = self._level(usual, factors, end)
        shapes = self._shapes(usual, end)
        rates = [tuple(level * factors[day] * share for share in shapes[day]) for day in range(7)]
        return _Week(tuple(tuple(round(rate, 4) for rate in day) for day in rates))

    def _weekday_factors(self, days: list[int], end: int) -> list[float]:
        """How a weekday's orders compare to those of its week's other days; 0 where the shop is closed."""
        by_week: dict[int, list[int]] = {}
        for day in days:
            by_week.setdefault(day // 7, []).append(day)
        weights, sums = [PRIOR_WEEKDAYS] * 7, [PRIOR_WEEKDAYS] * 7
        for members in by_week.values():
            if len(members) < 4:
                continue
            mean = sum(self._orders(day) for day in members) / len(members)
            for day in members:
                weight = 0.5 ** ((end - day) / SHAPE_HALF_LIFE_DAYS)
                weights[_weekday(day)] += weight
                sums[_weekday(day)] += weight * min(MOST_RATIO, self._orders(day) / mean)
        newest = dict.fromkeys(range(7), 0)
        for day in days:
            newest[_weekday(day)] = max(newest[_weekday(day)], day)
        open_since = max(days) + 1 - 7 * CLOSED_AFTER_WEEKS
        return [sums[day] / weights[day] if newest[day] >= open_since else 0.0 for day in range(7)]

    def _level(self, days: list[int], factors: list[float], end: int) -> float:
        """Orders of a day of an average weekday now; a single odd day cannot carry it away."""
        recent = [day for day in sorted(days)[-40:] if factors[_weekday(day)] > 0]
        ratios = {day: self._orders(day) / factors[_weekday(day)] for day in recent}
        middle = statistics.median(list(ratios.values())[-20:])
        held = {
            day: min(max(ratio, middle / MOST_RATIO), middle * MOST_RATIO) for day, ratio in ratios.items()
        }
        weights = {
            day: 0.5 ** ((end - day) / LEVEL_HALF_LIFE_DAYS) * factors[_weekday(day)] for day in recent
        }
        return float(sum(weights[day] * held[day] for day in recent) / sum(weights.values()))

    def _shapes(self, days: list[int], end: int) -> list[list[float]]:
        """For each weekday, the share of its orders in each half hour."""
        own = [[0.0] * HALF_HOURS for _ in range(7)]
        for day in days:
            if self._orders(day):
                weight = 0.5 ** ((end - day) / SHAPE_HALF_LIFE_DAYS)
                counts, row = self.history.days[day], own[_weekday(day)]
                for piece, count in enumerate(counts):
                    if count:
                        row[piece // 3] += weight * count
        pooled = [sum(column) for column in zip(*own, strict=True)]
        whole = sum(pooled)
        return [
            [
                (count + PRIOR_SHAPE_ORDERS * pool / whole) / (sum(row) + PRIOR_SHAPE_ORDERS)
                for count, pool in zip(row, pooled, strict=True)
            ]
            for row in own
        ]

    def _laws(self, end: int) -> dict[int, CountLaw]:
        """By the minutes of a window, from weeks that each baseline had not seen."""
        total = Residuals()
        for back in range(1, COMPARED_WEEKS + 1):
            try:
                total.add(self._residuals(end - 7 * back))
            except TooLittle:
                break
        return total.laws()

    def _residuals(self, start: int) -> Residuals:
        if start not in self._compared:
            week = self._week(start)
            residuals = Residuals()
            for day in range(start, start + 7):
                counts = self.history.days.get(day)
                if counts and not self._is_holiday(day):
                    residuals.compare(counts, week.rates[_weekday(day)])
            self._compared[start] = residuals
        return self._compared[start]

    def _keys(self, end: int) -> dict[str, KeyModel]:
        sums = {country: self._country_sums(days, end) for country, days in self.history.countries.items()}
        hours = [sum(each[hour] for each in sums.values()) for hour in range(24)]
        orders = sum(hours)
        value = self._order_value(end)
        keys = {TOTAL: KeyModel(1.0, (1.0,) * 24, round(value, 2))}
        long_run = self._long_run_shares(end)
        for country, share in long_run.items():
            own = sums[country]
            present = (sum(own) + PRIOR_SHARE_ORDERS * share) / (orders + PRIOR_SHARE_ORDERS)
            factors = tuple(
                round((own[hour] + PRIOR_HOUR_ORDERS) / (present * hours[hour] + PRIOR_HOUR_ORDERS), 4)
                for hour in range(24)
            )
            keys[f"country:{country}"] = KeyModel(round(present, 6), factors, round(value, 2))
        return keys

    def _country_sums(self, days: dict[int, list[int]], end: int) -> list[float]:
        sums = [0.0] * 24
        for day, counts in days.items():
            if day < end:
                weight = 0.5 ** ((end - day) / COUNTRY_HALF_LIFE_DAYS)
                for hour, count in enumerate(counts):
                    if count:
                        sums[hour] += weight * count
        return sums

    def _long_run_shares(self, end: int) -> dict[str, float]:
        orders = {
            country: sum(sum(counts) for day, counts in days.items() if day < end)
            for country, days in self.history.countries.items()
        }
        whole = sum(orders.values())
        return {country: count / whole for country, count in sorted(orders.items()) if count}

    def _order_value(self, end: int) -> float:
        """The median over the days of the last 8 weeks of a day's mean: one order of 168,000 pounds changes little."""
        days = [day for day in self.history.days if end - 56 <= day < end and self._orders(day)]
        days = days or [day for day in self.history.days if day < end]
        return statistics.median(
            [max(0.0, self.history.value_by_day[day] / self._orders(day)) for day in days]
        )

    def _closed_ahead(self, end: int) -> frozenset[date]:
        """Holidays of the next 400 days, and the dates of stretches that were empty a year before."""
        ahead = [date.fromordinal(end + day) for day in range(AHEAD_DAYS)]
        empty = self._empty_dates(end)
        return frozenset(
            day for day in ahead if self._is_holiday(day.toordinal()) or (day.month, day.day) in empty
        )

    def _empty_dates(self, end: int) -> set[tuple[int, int]]:
        """Month and day of every stretch of 6 days or more without an order, such as from Christmas to New Year."""
        seen = sorted(day for day in self.history.days if day < end)
        gaps = [range(a + 1, b) for a, b in pairwise(seen) if b - a > 6]
        return {(day.month, day.day) for gap in gaps for day in map(date.fromordinal, gap)}

    def _is_holiday(self, day: int) -> bool:
        year = date.fromordinal(day).year
        if year not in self._holidays:
            self._holidays[year] = frozenset(each.toordinal() for each in self.holidays(year))
        return day in self._holidays[year]

    def _orders(self, day: int) -> int:
        return sum(self.history.days[day])


def _weekday(day: int) -> int:
    """0 is Monday: day 1 of the proleptic calendar was one."""
    return (day - 1) % 7
