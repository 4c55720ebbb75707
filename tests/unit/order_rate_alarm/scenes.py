"""Shops and streams of orders for the tests of the order-rate alarm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from contracts import catalog, validate
from flink_jobs.order_rate_alarm.baseline import Baseline, KeyModel
from flink_jobs.order_rate_alarm.detector import Detector, OrderSeen
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.rules import Rules

CONTRACT = catalog.contract("order_rate_alarm", 1)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAW = CountLaw(0.3, 0.03)
UK = "United Kingdom"


def at(text: str) -> int:
    """Milliseconds of a UTC time such as `2011-03-02 10:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = at("2011-03-02 12:00")
"""A Wednesday, before the clocks change."""


def baseline(
    per_ten_minutes: float = 2.0,
    version: str = "one",
    countries: dict[str, float] | None = None,
    closed: Iterable[date] = (),
) -> Baseline:
    """A shop that is open from 8 to 18, Sunday to Friday, London time, at one rate."""
    open_day = tuple(per_ten_minutes * 3 if 16 <= half < 36 else 0.0 for half in range(48))
    week = tuple((0.0,) * 48 if day == 5 else open_day for day in range(7))
    shares = {"total": 1.0, **{f"country:{name}": share for name, share in (countries or {UK: 0.9}).items()}}
    return Baseline(
        version=version,
        trained_until_ms=at("2011-02-28 00:00"),
        time_zone="Europe/London",
        currency="GBP",
        week=week,
        laws={10: LAW, 60: LAW},
        keys={key: KeyModel(share, (1.0,) * 24, 400.0) for key, share in shares.items()},
        closed=frozenset(closed),
    )


def order(at_ms: int, name: str | None = None, country: str = UK, **other: Any) -> OrderSeen:
    """A sale, taken in at once."""
    fields: dict[str, Any] = {"source": "shop", "ingested_at_ms": at_ms, "kind": "sale"}
    return OrderSeen(
        order_id=name if name is not None else f"{country}-{at_ms}",
        ordered_at_ms=at_ms,
        country=country,
        **fields | other,
    )


def steady(begin_ms: int, end_ms: int, every_ms: int = 5 * MINUTE, country: str = UK) -> list[OrderSeen]:
    """Orders at one pace."""
    return [order(moment, country=country) for moment in range(begin_ms, end_ms, every_ms)]


def burst(
    begin_ms: int, count: int, every_ms: int = 5000, name: str = "burst", country: str = UK
) -> list[OrderSeen]:
    """Many orders one after another."""
    return [order(begin_ms + n * every_ms, f"{name}-{n}", country) for n in range(count)]


class Stream:
    """Feeds a detector as the job does, restores it where asked, and holds what it said against the contract."""

    def __init__(self, rules: Rules | None = None, baseline: Baseline | None = None) -> None:
        self.rules = rules or Rules()
        self.baseline = baseline
        self.entries: dict[str, bytes] = {}
        self.records: list[Record] = []
        self.detector = Detector(self.rules, baseline)
        self.now_ms = 0

    def order(self, seen: OrderSeen, now_ms: int | None = None) -> list[Record]:
        """One order, on the job's clock at its own time or at the time given."""
        self.now_ms = max(self.now_ms, seen.ordered_at_ms) if now_ms is None else now_ms
        return self._took(self.detector.on_order(seen, self.now_ms))

    def orders(self, many: Iterable[OrderSeen]) -> list[Record]:
        """Orders as time goes by; the clock ticks each minute between them."""
        said: list[Record] = []
        for seen in many:
            said += self.clock(seen.ordered_at_ms)
            said += self.order(seen)
        return said

    def clock(self, until_ms: int, every_ms: int = MINUTE) -> list[Record]:
        """Let time pass."""
        said: list[Record] = []
        while self.now_ms and self.now_ms + every_ms <= until_ms:
            self.now_ms += every_ms
            said += self._took(self.detector.on_clock(self.now_ms))
        return said

    def restore(self, baseline: Baseline | None = None) -> None:
        """Kill the detector; another one begins with its state."""
        self.detector = Detector(self.rules, baseline or self.baseline, list(self.entries.items()))

    def final(self) -> dict[str, Record]:
        """The incidents that there are in the end: of each the record of the highest rank."""
        return final(self.records)

    def _took(self, records: list[Record]) -> list[Record]:
        for record in records:
            validate.check(CONTRACT, json.dumps(record).encode())
        self.records += records
        for key, entry in self.detector.changed():
            if entry is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = entry
        return records


def final(records: Iterable[Record]) -> dict[str, Record]:
    """Of each incident the record of the highest rank, without those merged into others or withdrawn."""
    highest: dict[str, Record] = {}
    for record in records:
        known = highest.get(record["incident_id"])
        if known is None or record["rank"] > known["rank"]:
            highest[record["incident_id"]] = record
    return {name: each for name, each in highest.items() if each["resolution"] not in ("merged", "withdrawn")}


def told(records: Iterable[Record]) -> list[tuple[str, str, str, str | None]]:
    """What records say, without figures."""
    return [(each["rule"], each["key"], each["direction"], each["resolution"]) for each in records]
