"""The rate of orders that is usual: what a command learns from recorded orders and the detector judges by.

The expected rate is that of the half hour of the week on the shop's own clock, at the present level of the shop.
A country's is the total's, times its share, times how its hours of the day differ. Two rates are kept apart: the
low one, by which too few are judged, is 0 whenever the shop may be closed; the high one, by which too many are
judged, is never 0, and on a holiday that of a usual day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flink_jobs.order_rate_alarm.distribution import CountLaw

FORMAT = 1
TOTAL = "total"
HALF_HOURS = 48
EARLY = 0.25
"""Share of a half hour's rate that its neighbours may have too: a shop opens early, or closes late."""
LEAST_SHARE = 0.01
"""Share of the busiest half hour's rate that every half hour may have, also at night."""
LEAST_ORDERS = 0.05
"""Orders in half an hour that may come at any time, however small the shop."""
_REMEMBERED = 20_000
_QUARTERS = 4 * 24 * 7


class WrongBaseline(ValueError):
    """The bytes are no baseline of a format that this code reads; the one in use stays in use."""


class KeyModel(NamedTuple):
    """How one key differs from the total.

    Args:
        share: of all orders.
        hours: 24 factors on the share, by local hour.
        value: usual money of one order, in the baseline's currency.
    """

    share: float
    hours: tuple[float, ...]
    value: float


class Rate(NamedTuple):
    """Expected orders a minute: `low` if too few are looked for, `high` if too many."""

    low: float
    high: float


@dataclass(frozen=True)
class Baseline:
    """What is usual for each key at each moment.

    Args:
        version: names it in every record that it judged.
        trained_until_ms: start of the first local day that it knows nothing of, UTC.
        currency: of all money in it, an ISO 4217 code.
        week: orders of the total in each half hour, 7 (Monday first) times 48, local time.
        laws: of counts, by minutes of a window; that of 60 stands also for all that is longer.
        keys: `total` and `country:<name>`.
        closed: local days on which the shop may be closed.
    """

    version: str
    trained_until_ms: int
    time_zone: str
    currency: str
    week: tuple[tuple[float, ...], ...]
    laws: Mapping[int, CountLaw]
    keys: Mapping[str, KeyModel]
    closed: frozenset[date]
    _high: tuple[tuple[float, ...], ...] = field(init=False, repr=False, compare=False)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _rates: dict[str, dict[int, Rate]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.laws or TOTAL not in self.keys:
            raise WrongBaseline("no law of counts, or nothing about the total")
        object.__setattr__(self, "_high", _high_rates(self.week))
        object.__setattr__(self, "_zone", ZoneInfo(self.time_zone))
        object.__setattr__(self, "_rates", {key: {} for key in self.keys})

    @classmethod
    def load(cls, data: bytes) -> Baseline:
        """Read a document that `save` made.

        Raises:
            WrongBaseline: it is none, or of another format.
        """
        try:
            document = json.loads(data)
            if document["format"] != FORMAT:
                raise WrongBaseline(f"a baseline of format {document['format']!r}, not {FORMAT}")
            return cls(
                version=str(document["version"]),
                trained_until_ms=int(document["trained_until_ms"]),
                time_zone=document["time_zone"],
                currency=str(document["currency"]),
                week=_week(document["week"]),
                laws={int(minutes): CountLaw(*map(float, law)) for minutes, law in document["laws"].items()},
                keys={key: _key_model(model) for key, model in document["keys"].items()},
                closed=frozenset(date.fromisoformat(day) for day in document["closed"]),
            )
        except WrongBaseline:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise WrongBaseline(f"no baseline: {type(error).__name__}: {error}") from None

    def save(self) -> bytes:
        """The document as bytes, equal for equal baselines."""
        document = {
            "format": FORMAT,
            "version": self.version,
            "trained_until_ms": self.trained_until_ms,
            "time_zone": self.time_zone,
            "currency": self.currency,
            "week": self.week,
            "laws": {str(minutes): law for minutes, law in sorted(self.laws.items())},
            "keys": {key: model._asdict() for key, model in sorted(self.keys.items())},
            "closed": sorted(day.isoformat() for day in self.closed),
        }
        return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()

    def rate(self, key: str, minute: int) -> Rate:
        """Orders that one key expects in the minute (since 1970, UTC); nothing of a key that it does not know."""
        known = self._rates.get(key)
        if known is None:
            return NOTHING
        found = known.get(minute // 15)
        return found if found is not None else self._remember(key, known, minute // 15)

    def expected(self, key: str, start_minute: int, end_minute: int) -> Rate:
        """Orders that one key expects from one minute to another, the latter exclusive."""
        if (end_minute - 1) // 15 - start_minute // 15 == 0:
            low, high = self.rate(key, start_minute)
            minutes = end_minute - start_minute
            return Rate(low * minutes, high * minutes)
        low_sum = high_sum = 0.0
        minute = start_minute
        while minute < end_minute:
            until = min(end_minute, (minute // 15 + 1) * 15)
            low, high = self.rate(key, minute)
            low_sum += low * (until - minute)
            high_sum += high * (until - minute)
            minute = until
        return Rate(low_sum, high_sum)

    def most_expected(self, key: str, minutes: int) -> float:
        """The most orders that one key expects in so many minutes, at any time of the week."""
        return max(self._high_of(key), default=0.0) * minutes

    def least_expected(self, key: str, minutes: int) -> float:
        """The fewest orders that are expected in so many minutes if too many are looked for."""
        return min(self._high_of(key), default=0.0) * minutes

    def _high_of(self, key: str) -> list[float]:
        """The high rate of each half hour of the week, in orders a minute."""
        model = self.keys.get(key)
        if model is None:
            return []
        return [
            rate * model.hours[half // 2] * model.share / 30
            for day in self._high
            for half, rate in enumerate(day)
        ]

    def law(self, minutes: int) -> CountLaw:
        """Of counts in windows of so many minutes: that of the next longer length; of the longest if there is none.

        Counts of longer windows vary more than their mean says, so what is not known is not taken for too calm.
        """
        longer = [known for known in self.laws if known >= minutes]
        return self.laws[min(longer) if longer else max(self.laws)]

    def value(self, key: str) -> float:
        """Usual money of one order of a key; that of all orders for a key that it does not know."""
        return self.keys.get(key, self.keys[TOTAL]).value

    def _remember(self, key: str, known: dict[int, Rate], quarter: int) -> Rate:
        if len(known) >= _REMEMBERED:
            known.clear()
        moment = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self._zone)
        half = moment.hour * 2 + moment.minute // 30
        model = self.keys[key]
        factor = model.share * model.hours[moment.hour] / 30
        maybe_closed = moment.date() in self.closed
        low = 0.0 if maybe_closed else self.week[moment.weekday()][half] * factor
        found = known[quarter] = Rate(low, self._high[moment.weekday()][half] * factor)
        return found


NOTHING = Rate(0.0, 0.0)


def _high_rates(week: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    least = max(LEAST_ORDERS, LEAST_SHARE * max(map(max, week)))
    return tuple(
        tuple(
            max(
                rate,
                EARLY * day[half - 1] if half else 0.0,
                EARLY * day[half + 1] if half < 47 else 0.0,
                least,
            )
            for half, rate in enumerate(day)
        )
        for day in week
    )


def _week(value: Any) -> tuple[tuple[float, ...], ...]:
    week = tuple(tuple(float(rate) for rate in day) for day in value)
    if len(week) != 7 or any(len(day) != HALF_HOURS or min(day) < 0 for day in week):
        raise WrongBaseline("the week is not 7 times 48 rates of 0 or more")
    return week


def _key_model(value: Any) -> KeyModel:
    hours = tuple(float(factor) for factor in value["hours"])
    if len(hours) != 24:
        raise WrongBaseline("a key does not have 24 factors")
    return KeyModel(float(value["share"]), hours, float(value["value"]))
