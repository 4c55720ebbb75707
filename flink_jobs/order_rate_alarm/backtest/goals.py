"""What a backtest measures, and what it was to reach."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flink_jobs.order_rate_alarm.backtest.bound import Seen, recall
from flink_jobs.order_rate_alarm.backtest.curve import WEEK_MS, Outcome
from flink_jobs.order_rate_alarm.backtest.injection import STRATA, Injection, Kind
from flink_jobs.order_rate_alarm.backtest.shop import Shop
from flink_jobs.order_rate_alarm.baseline import TOTAL

MINUTE_MS = 60_000
WINDOW = 10
"""Minutes of the window whose bound is worked out."""
NEAR_THE_BOUND = 0.05
FALSE_A_WEEK = 1.0
LEAST_INJECTIONS = 10
"""A stratum with fewer is not judged."""
ZERO_IS_UNLIKELY = 1e-4
OPEN_EXPECTED = 0.1
"""Orders in ten minutes from which on the shop counts as open."""
NIGHT_HOURS = (21, 6)
"""Local hours in which the recorded shop never had an order."""


@dataclass(frozen=True)
class Row:
    """One kind of injection in one stratum, at one sensitivity.

    Args:
        bound: mean recall of the best test of ten minutes.
        delay_min: median minutes from the begin of an injection to its detection; None if none was found.
    """

    kind: Kind
    stratum: str
    injections: int
    recall: float
    bound: float
    delay_min: float | None

    @property
    def judged(self) -> bool:
        """Whether there are enough injections to say."""
        return self.injections >= LEAST_INJECTIONS

    @property
    def near(self) -> bool:
        """Whether the recall comes within 0.05 of the bound, or is above it."""
        return self.recall >= self.bound - NEAR_THE_BOUND


@dataclass(frozen=True)
class Exposure:
    """How much time there was in which an alarm would be false.

    Args:
        weeks: weeks of open time outside the injections.
        windows: windows of ten minutes, one after another, in a week of open time.
    """

    weeks: float
    windows: float


def exposure(shop: Shop, injections: Sequence[Injection]) -> Exposure:
    """Measure it over the time in which the shop had a baseline; closed time comes along in proportion."""
    open_windows = inside = at = 0
    for minute in range(shop.begin_ms // MINUTE_MS, shop.end_ms // MINUTE_MS, WINDOW):
        baseline = shop.baseline_at(minute * MINUTE_MS)
        if baseline is None or baseline.expected(TOTAL, minute, minute + WINDOW).low < OPEN_EXPECTED:
            continue
        open_windows += 1
        while at < len(injections) and injections[at].end_ms <= minute * MINUTE_MS:
            at += 1
        inside += at < len(injections) and injections[at].start_ms < (minute + WINDOW) * MINUTE_MS
    weeks = (shop.end_ms - shop.begin_ms) / WEEK_MS
    return Exposure(weeks * (open_windows - inside) / max(1, open_windows), open_windows / max(weeks, 1e-9))


def rows(shop: Shop, injections: Sequence[Injection], outcome: Outcome, windows: float) -> list[Row]:
    """Recall, delay and bound of each kind and stratum; the bound at the outcome's own rate of false alarms."""
    found = []
    false = {"surge": outcome.false_a_week("surge")}
    false["drop"] = outcome.false_a_week() - false["surge"]
    for kind in ("surge", "drop"):
        for stratum in STRATA:
            of_it = [n for n, each in enumerate(injections) if (each.kind, each.stratum) == (kind, stratum)]
            if not of_it:
                continue
            delays = [outcome.delays_ms[n] for n in of_it]
            seen = [delay / MINUTE_MS for delay in delays if delay is not None]
            bounds = [bound(shop, injections[n], false[kind] / windows) for n in of_it]
            found.append(
                Row(
                    kind="surge" if kind == "surge" else "drop",
                    stratum=stratum,
                    injections=len(of_it),
                    recall=len(seen) / len(of_it),
                    bound=sum(bounds) / len(bounds),
                    delay_min=statistics.median(seen) if seen else None,
                )
            )
    return found


def bound(shop: Shop, injection: Injection, false_alarm: float) -> float:
    """The probability that the best test of ten minutes, on the clock's grid, finds an injection.

    Args:
        false_alarm: the probability with which it may reject a window in which nothing is wrong.
    """
    baseline = shop.baseline_at(injection.start_ms)
    if baseline is None or false_alarm <= 0:
        return 0.0
    start, end = injection.start_ms // MINUTE_MS, injection.end_ms // MINUTE_MS
    windows = []
    for minute in range(start // WINDOW * WINDOW, end, WINDOW):
        inside = (min(end, minute + WINDOW) - max(start, minute)) / WINDOW
        mean = round(baseline.expected(TOTAL, minute, minute + WINDOW).low, 2)
        windows.append(Seen(mean, round(1 + (injection.factor - 1) * inside, 1)))
    return recall(windows, baseline.law(WINDOW), false_alarm)


@dataclass(frozen=True)
class ZeroDrops:
    """Drops to zero, against the time in which the baseline makes no order less likely than 1 in 10,000.

    Args:
        long_enough: those that lasted for that time.
        in_time: those of them that were found within it.
        worst_min: the most minutes by which one was late; an unfound one counts from its end.
    """

    long_enough: int
    in_time: int
    worst_min: float


def zero_drops(shop: Shop, injections: Sequence[Injection], outcome: Outcome) -> ZeroDrops:
    """Look at every drop to zero that lasted long enough."""
    long_enough = in_time = 0
    worst_ms = 0
    for injection, delay_ms in zip(injections, outcome.delays_ms, strict=True):
        limit_ms = _unlikely_after_ms(shop, injection) if injection.factor == 0 else None
        if limit_ms is None:
            continue
        long_enough += 1
        late_ms = (injection.end_ms - injection.start_ms if delay_ms is None else delay_ms) - limit_ms
        in_time += delay_ms is not None and late_ms <= 0
        worst_ms = max(worst_ms, late_ms)
    return ZeroDrops(long_enough, in_time, worst_ms / MINUTE_MS)


def _unlikely_after_ms(shop: Shop, injection: Injection) -> int | None:
    baseline = shop.baseline_at(injection.start_ms)
    if baseline is None:
        return None
    limit, mean = baseline.law(60).silent_mean(ZERO_IS_UNLIKELY), 0.0
    for minute in range(injection.start_ms // MINUTE_MS, injection.end_ms // MINUTE_MS):
        mean += baseline.rate(TOTAL, minute).low
        if mean >= limit:
            return (minute + 1) * MINUTE_MS - injection.start_ms
    return None


def in_closed_time(shop: Shop, moment_ms: int) -> bool:
    """Whether a moment is at night, on a Saturday, or on a day on which the shop may be closed."""
    local = datetime.fromtimestamp(moment_ms / 1000, shop.history.zone)
    baseline = shop.baseline_at(moment_ms)
    night = local.hour >= NIGHT_HOURS[0] or local.hour < NIGHT_HOURS[1]
    return night or local.weekday() == 5 or (baseline is not None and local.date() in baseline.closed)


def document(row: Row) -> dict[str, Any]:
    """For a report in JSON."""
    delay = None if row.delay_min is None else round(row.delay_min, 1)
    return {
        "kind": row.kind,
        "stratum": row.stratum,
        "injections": row.injections,
        "recall": round(row.recall, 3),
        "bound": round(row.bound, 3),
        "delay_min": delay,
        "within_0.05_of_bound": row.near if row.judged else None,
    }
