"""Surges and drops that are hidden in recorded orders, drawn by a seed, so that it is known what is to be found."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from flink_jobs.order_rate_alarm.backtest.shop import Shop
from flink_jobs.order_rate_alarm.baseline import TOTAL, Baseline
from flink_jobs.order_rate_alarm.distribution import draw
from flink_jobs.order_rate_alarm.record import timestamp_of
from flink_jobs.order_rate_alarm.recorded import RecordedOrder

MINUTE_MS = 60_000
STRATA = ("below 1", "1 to 3", "3 to 10", "above 10")
"""Of expected orders in ten minutes, when the injection begins."""
LEAST_EXPECTED = 0.3
"""Orders in ten minutes: below it the shop is all but closed, and nothing is injected."""
FACTORS = (2.0, 8.0)
"""A surge multiplies the expected rate by a number between these, drawn evenly in its logarithm."""
SURGE_MINUTES = (10, 60)
DROP_MINUTES = (60, 240)
SHARES_LEFT = (0.0, 0.0, 0.1, 0.3, 0.5)
"""A drop leaves one of these shares of the orders."""
APART_MS = 60 * MINUTE_MS
"""Between two injections of a day: more than what joins unusual windows into one incident."""
Kind = Literal["surge", "drop"]


@dataclass(frozen=True, slots=True)
class Injection:
    """One interval in which orders were added or left out.

    Args:
        factor: of the usual rate; below 1 it is the share of the orders that was left.
        expected: orders in ten minutes, of the baseline, when it begins.
    """

    kind: Kind
    start_ms: int
    end_ms: int
    factor: float
    expected: float

    @property
    def stratum(self) -> str:
        """By what was expected."""
        return stratum_of(self.expected)

    def document(self) -> dict[str, Any]:
        """For a report in JSON."""
        return asdict(self) | {"start": timestamp_of(self.start_ms), "end": timestamp_of(self.end_ms)}


def stratum_of(expected: float) -> str:
    """The stratum of so many expected orders in ten minutes."""
    return STRATA[sum(expected >= edge for edge in (1, 3, 10))]


def plan(shop: Shop, seed: int) -> list[Injection]:
    """Draw a surge and a drop for each day that is open, all strata of a day alike, apart from each other.

    Returns:
        earliest first; no two of them could be one incident.
    """
    chance = random.Random(f"{seed}/{shop.name}")
    found: list[Injection] = []
    day = datetime.fromtimestamp(shop.begin_ms / 1000, shop.history.zone)
    while day.timestamp() * 1000 < shop.end_ms:
        of_day: list[Injection] = []
        kinds: list[Kind] = ["surge", "drop"]
        chance.shuffle(kinds)
        for kind in kinds:
            injection = _draw(shop, day, kind, chance)
            if injection is not None and all(_apart(injection, other) for other in of_day):
                of_day.append(injection)
        found += sorted(of_day, key=lambda each: each.start_ms)
        day = day + timedelta(days=1)
    return found


def _apart(one: Injection, other: Injection) -> bool:
    return one.start_ms >= other.end_ms + APART_MS or other.start_ms >= one.end_ms + APART_MS


def _draw(shop: Shop, day: datetime, kind: Kind, chance: random.Random) -> Injection | None:
    start = int(day.timestamp() // 60)
    baseline = shop.baseline_at(start * MINUTE_MS)
    if baseline is None or day.date() in baseline.closed or day.date().toordinal() not in shop.history.days:
        return None
    by_stratum: dict[str, list[int]] = {}
    for minute in range(start, start + 1440):
        expected = baseline.expected(TOTAL, minute, minute + 10).low
        if expected >= LEAST_EXPECTED:
            by_stratum.setdefault(stratum_of(expected), []).append(minute)
    if not by_stratum:
        return None
    minute = chance.choice(by_stratum[chance.choice(sorted(by_stratum))])
    length = chance.randint(*(SURGE_MINUTES if kind == "surge" else DROP_MINUTES))
    end = _while_open(baseline, minute, minute + length)
    if end - minute < 10 or end * MINUTE_MS > shop.end_ms:
        return None
    factor = (
        math.exp(chance.uniform(*map(math.log, FACTORS))) if kind == "surge" else chance.choice(SHARES_LEFT)
    )
    expected = baseline.expected(TOTAL, minute, minute + 10).low
    return Injection(kind, minute * MINUTE_MS, end * MINUTE_MS, round(factor, 3), round(expected, 3))


def _while_open(baseline: Baseline, start: int, end: int) -> int:
    for minute in range(start, end, 5):
        if baseline.expected(TOTAL, minute, minute + 5).low * 2 < LEAST_EXPECTED:
            return minute
    return end


def apply(shop: Shop, injections: Sequence[Injection], seed: int) -> list[RecordedOrder]:
    """The shop's orders with the injections in them.

    A surge adds orders by Poisson's law at the rate above the expected one; a drop leaves each order in with the
    share's probability. Added orders are like recorded ones of the shop in country and value.
    """
    chance = random.Random(f"{seed}/{shop.name}/orders")
    drops = [each for each in injections if each.kind == "drop"]
    kept = list(_thinned(shop.orders, drops, chance))
    sales = [order for order in shop.orders if order.kind == "sale"]
    for number, surge in enumerate(each for each in injections if each.kind == "surge"):
        baseline = shop.baseline_at(surge.start_ms)
        if baseline is None:
            continue
        for minute in range(surge.start_ms // MINUTE_MS, surge.end_ms // MINUTE_MS):
            mean = (surge.factor - 1) * baseline.rate(TOTAL, minute).low
            for piece in range(draw(mean, chance) if mean > 0 else 0):
                at_ms = minute * MINUTE_MS + chance.randrange(MINUTE_MS)
                like = chance.choice(sales)
                kept.append(
                    like._replace(ordered_at_ms=at_ms, order_id=f"injected-{number}-{minute}-{piece}")
                )
    return sorted(kept, key=lambda order: order.ordered_at_ms)


def _thinned(
    orders: list[RecordedOrder], drops: list[Injection], chance: random.Random
) -> list[RecordedOrder]:
    kept, at = [], 0
    for order in orders:
        while at < len(drops) and drops[at].end_ms <= order.ordered_at_ms:
            at += 1
        inside = at < len(drops) and drops[at].start_ms <= order.ordered_at_ms
        if not inside or chance.random() < drops[at].factor:
            kept.append(order)
    return kept


def begins(injection: Injection) -> datetime:
    """When it begins, UTC."""
    return datetime.fromtimestamp(injection.start_ms / 1000, UTC)
