"""Runs the detector over a shop's orders at full speed; the job's clock is the orders' own time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flink_jobs.order_rate_alarm.backtest.shop import Shop
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.detector import Detector, OrderSeen
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.recorded import RecordedOrder
from flink_jobs.order_rate_alarm.rules import Rules

TICK_MS = 60_000
"""The live clock ticks each second; between two minutes there is nothing to judge, so once a minute finds the same."""


class Found(NamedTuple):
    """An unusual window, and when it was found to be this odd.

    Args:
        share: its probability, as a share of the one at which the pass's rules find it unusual.
    """

    found_ms: int
    series: Series
    mark: Mark
    share: float


@dataclass
class Run:
    """What came of one pass.

    Args:
        order_us: mean CPU time of `on_order` and `changed`, microseconds, by a sample.
    """

    records: list[Record] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    order_us: float = 0.0


def run(shop: Shop, orders: Sequence[RecordedOrder], rules: Rules) -> Run:
    """Let the detector see orders as they come, its clock tick each minute, and each baseline when it was there.

    The clock ticks when the grace past a whole minute is over: that is when the live job judges the minute.
    """
    grace_ms = rules.grace_s * 1000
    result = Run()
    detector = Detector(rules, None)
    now_ms = orders[0].ordered_at_ms
    detector.watch(lambda series, mark, share: result.found.append(Found(now_ms, series, mark, share)))
    baselines = iter(shop.baselines)
    coming = next(baselines, None)
    spent_ns = sampled = 0
    for number, order in enumerate(orders):
        tick_ms = _next_tick(now_ms, grace_ms)
        while tick_ms <= order.ordered_at_ms:
            now_ms = tick_ms
            while coming is not None and coming[0] <= now_ms:
                detector.replace_baseline(coming[1])
                coming = next(baselines, None)
            result.records += detector.on_clock(now_ms)
            tick_ms += TICK_MS
        now_ms = max(now_ms, order.ordered_at_ms)
        seen = _seen(order)
        if number % 8:
            result.records += detector.on_order(seen, now_ms)
            detector.changed()
            continue
        began = time.thread_time_ns()
        result.records += detector.on_order(seen, now_ms)
        detector.changed()
        spent_ns, sampled = spent_ns + time.thread_time_ns() - began, sampled + 1
    for _ in range(0, (rules.resolve_s + rules.grace_s) * 1000 + 2 * TICK_MS, TICK_MS):
        now_ms = _next_tick(now_ms, grace_ms)
        result.records += detector.on_clock(now_ms)
    result.order_us = spent_ns / max(1, sampled) / 1000
    return result


def _next_tick(now_ms: int, grace_ms: int) -> int:
    return ((now_ms - grace_ms) // TICK_MS + 1) * TICK_MS + grace_ms


def _seen(order: RecordedOrder) -> OrderSeen:
    at = order.ordered_at_ms
    return OrderSeen("recorded", order.order_id, at, at, order.country, order.kind)
