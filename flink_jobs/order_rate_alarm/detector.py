"""Judges the rate of orders: orders and the clock go in, state changes of incidents come out.

Nothing that is found depends on the order in which orders arrive: a window's verdict follows from the orders in it,
the baseline and the time; incidents follow from the verdicts; records are the difference to what was told before.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flink_jobs.order_rate_alarm.baseline import Baseline
from flink_jobs.order_rate_alarm.clock import StreamClock
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.judging import Judging
from flink_jobs.order_rate_alarm.ledger import PREFIX as ORDER_PREFIX
from flink_jobs.order_rate_alarm.ledger import Counted, Ledger, digest_of
from flink_jobs.order_rate_alarm.record import Record, heartbeat
from flink_jobs.order_rate_alarm.rules import Rules

STATE_FORMAT = 1
META = "m"
WAITING_PREFIX = "f:"
EARLIEST_S = 86_400
"""An order of before 1970-01-02 has no window that can be written; it is counted among the misplaced."""
PRUNE_EVERY_MINUTES = 60


class WrongState(ValueError):
    """The entries were written by a format that this code does not read; the job has to be an older or newer one."""


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """What the job takes from one record of `order/1`.

    Args:
        ordered_at_ms, ingested_at_ms: UTC, milliseconds since 1970.
        kind: `sale`, `cancellation` or `adjustment`; only sales are counted.
    """

    source: str
    order_id: str
    ordered_at_ms: int
    ingested_at_ms: int
    country: str
    kind: str


class Detector:
    """Holds counts, windows and incidents of all keys; not for several threads.

    Args:
        rules: the numbers to go by.
        baseline: what is usual; None (a cold start): only the rule `threshold` judges.
        entries: state that an earlier detector gave by `changed`, in any order.

    Raises:
        WrongState: the entries are of another format; nothing was judged.
    """

    def __init__(
        self, rules: Rules, baseline: Baseline | None, entries: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        self._rules = rules
        self._grace_ms = rules.grace_s * 1000
        self._changed: dict[str, bytes | None] = {}
        self._clock = StreamClock(rules.tick_limit_s * 1000)
        self._ledger = Ledger(self._changed)
        self._judging = Judging(rules, self._changed)
        self._waiting: list[tuple[int, bytes, str]] = []
        self._waits: set[bytes] = set()
        self._frontier: int | None = None
        self._complete_from = 0
        self._behind_until_ms = -1
        self._pruned = 0
        self._meta_changed = False
        self._now_ms = 0
        self._counters = dict.fromkeys(
            ("orders_counted", "late_orders", "repeated_orders", "other_kinds", "misplaced_orders"), 0
        )
        self._restore(baseline, sorted(entries, key=_restore_order))

    def on_order(self, order: OrderSeen, now_ms: int) -> list[Record]:
        """Count one record and judge at once what it may make a surge.

        Args:
            now_ms: the job's clock, milliseconds since 1970.

        Returns:
            records to emit, in this order.
        """
        self._tick(now_ms)
        if now_ms - order.ingested_at_ms > self._rules.behind_s * 1000:
            self._behind_until_ms = now_ms + self._rules.behind_hold_s * 1000
        if order.ordered_at_ms > now_ms:
            self._wait(order, now_ms)
        else:
            self._see(order.ordered_at_ms, now_ms)
            if order.kind != "sale":
                self._counters["other_kinds"] += 1
            else:
                digest = digest_of(order.source, order.order_id)
                self._count(Counted(digest, order.ordered_at_ms // 1000, order.country), now_ms)
        return self._settle(now_ms)

    def on_clock(self, now_ms: int) -> list[Record]:
        """Judge what time alone decides (drops, silences, recoveries); called about once a second."""
        self._tick(now_ms)
        return self._settle(now_ms)

    def changed(self) -> list[tuple[str, bytes | None]]:
        """State entries to write since the last call; None: remove."""
        if self._meta_changed:
            self._meta_changed = False
            self._changed[META] = self._meta()
        changed = list(self._changed.items())
        self._changed.clear()
        return changed

    def replace_baseline(self, baseline: Baseline) -> None:
        """Judge by another baseline what has not passed yet; verdicts on what has, and their incidents, stand."""
        frontier = self._frontier or 0
        self._judging.use(baseline, frontier, frontier)
        self._meta_changed = True

    def heartbeat(self, now_ms: int) -> Record:
        """The job's sign of life: an incident that is resolved for as long as it keeps coming."""
        baseline = self._judging.baseline
        return heartbeat(now_ms, baseline.version if baseline else None)

    def figures(self) -> dict[str, float]:
        """Gauges and counters of the detector, by name."""
        judging, baseline = self._judging, self._judging.baseline
        incidents = judging.incidents
        lag_ms = self._now_ms - self._clock.reading_ms if self._clock.started else 0
        age_ms = self._now_ms - baseline.trained_until_ms if baseline else 0
        return {
            **{name: float(count) for name, count in self._counters.items()},
            "waiting_orders": float(len(self._waiting)),
            "kept_orders": float(len(self._ledger)),
            "minutes_judged": float(judging.judged),
            "open_incidents": float(incidents.open),
            "incidents_fired": float(incidents.fired),
            "incidents_merged": float(incidents.merged),
            "incidents_withdrawn": float(incidents.withdrawn),
            "stream_time_lag_ms": float(lag_ms),
            "behind": float(self._now_ms < self._behind_until_ms),
            "baseline_present": float(baseline is not None),
            "baseline_age_s": age_ms / 1000,
        }

    def watch(self, watcher: Callable[[Series, Mark, float], None]) -> None:
        """Tell of every unusual window as it is found; for a backtest, which looks at more than incidents.

        The number is the window's probability as a share of the one at which its rule finds it unusual.
        """
        self._judging.incidents.watcher = watcher

    # Orders

    def _wait(self, order: OrderSeen, now_ms: int) -> None:
        """Put an order from the future aside until its time has come; one from too far away is only counted."""
        digest = digest_of(order.source, order.order_id)
        second = -(-order.ordered_at_ms // 1000)
        if order.kind != "sale":
            self._counters["other_kinds"] += 1
        elif order.ordered_at_ms > now_ms + self._rules.future_limit_s * 1000:
            self._counters["misplaced_orders"] += 1
        elif digest in self._ledger or digest in self._waits:
            self._counters["repeated_orders"] += 1
        else:
            self._waits.add(digest)
            heapq.heappush(self._waiting, (second, digest, order.country))
            self._changed[_waiting_key(digest)] = json.dumps([second, order.country]).encode()

    def _count(self, order: Counted, now_ms: int) -> None:
        if order.digest in self._ledger or order.digest in self._waits:
            self._ledger.touched(order.second, now_ms)
            self._counters["repeated_orders"] += 1
            return
        if order.second < EARLIEST_S:
            self._counters["misplaced_orders"] += 1
            return
        frontier = self._frontier or 0
        self._ledger.add(order, now_ms)
        self._counters["orders_counted"] += 1
        if order.second < frontier * 60:
            self._counters["late_orders"] += 1
            self._meta_changed = True  # a silence may begin later than it was written
        self._judging.count(order.second, order.country, frontier)

    # Time

    def _tick(self, now_ms: int) -> None:
        if not self._ledger.started_ms:
            # Until each shard was heard of, nobody knows whether one is read from behind.
            self._ledger.started_ms = now_ms
            self._behind_until_ms = now_ms + self._rules.behind_hold_s * 1000
        self._now_ms = now_ms
        self._clock.tick(now_ms)
        while self._waiting and self._waiting[0][0] * 1000 <= now_ms:
            second, digest, country = heapq.heappop(self._waiting)
            self._waits.discard(digest)
            self._changed[_waiting_key(digest)] = None
            self._see(second * 1000, now_ms)
            self._count(Counted(digest, second, country), now_ms)

    def _see(self, event_ms: int, now_ms: int) -> None:
        """Let an event move the time of the stream, and the moment from which on counts are complete."""
        if event_ms < EARLIEST_S * 1000:
            return
        started, reading_ms = self._clock.started, self._clock.reading_ms
        retention_ms = self._rules.retention_s * 1000
        self._clock.saw(event_ms, now_ms)
        minute = event_ms // 60_000
        if not started or event_ms > reading_ms + retention_ms:
            # Nobody watched the time between: no drop or silence is found in it.
            self._begin(minute)
        elif minute < self._complete_from and event_ms >= reading_ms - retention_ms:
            self._begin(minute)

    def _begin(self, minute: int) -> None:
        self._complete_from = self._frontier = max(minute, self._judging.judged_from)
        self._judging.silence.begin(self._frontier)
        self._meta_changed = True

    def _settle(self, now_ms: int) -> list[Record]:
        frontier = self._frontier
        if frontier is None:
            return []
        behind = now_ms < self._behind_until_ms
        target = (self._clock.reading_ms - self._grace_ms) // 60_000
        if target > frontier and not behind:
            self._advance(frontier, target, now_ms)
            frontier = target
        incidents = self._judging.incidents
        frontier_ms = frontier * 60_000
        return incidents.settle(frontier_ms, now_ms, behind) if incidents.due(frontier_ms) else []

    def _advance(self, frontier: int, target: int, now_ms: int) -> None:
        for minute in range(frontier + 1, target + 1):
            self._judging.pass_minute(minute, self._complete_from)
        self._frontier = target
        if target >= self._pruned + PRUNE_EVERY_MINUTES:
            self._pruned = target
            self._prune(now_ms)
        self._meta_changed = True

    def _prune(self, now_ms: int) -> None:
        before = self._clock.reading_ms // 60_000 - self._rules.retention_s // 60
        gone, kept_from = self._ledger.prune(before, now_ms - self._rules.untouched_s * 1000)
        self._judging.prune(kept_from, gone)
        self._judging.incidents.prune(before * 60_000)

    # State

    def _meta(self) -> bytes:
        baseline = self._judging.baseline
        document = {
            "format": STATE_FORMAT,
            "clock_ms": self._clock.reading_ms,
            "frontier": self._frontier,
            "complete_from": self._complete_from,
            "silent_from": self._judging.silence.start,
            "judged_from": self._judging.judged_from,
            "baseline": baseline.version if baseline else None,
            "counters": self._counters,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def _restore(self, baseline: Baseline | None, entries: list[tuple[str, bytes]]) -> None:
        judging = self._judging
        newest_s = 0
        if entries and entries[0][0] == META:
            self._restore_meta(baseline, json.loads(entries[0][1]))
        elif baseline is not None:
            judging.use(baseline, 0, 0)
        for key, entry in entries:
            if key.startswith(ORDER_PREFIX):
                for order in self._ledger.restore(key, entry):
                    newest_s = max(newest_s, order.second)
                    judging.count(order.second, order.country, 0)
            elif key.startswith(WAITING_PREFIX):
                digest = bytes.fromhex(key.removeprefix(WAITING_PREFIX))
                second, country = json.loads(entry)
                self._waits.add(digest)
                heapq.heappush(self._waiting, (second, digest, country))
            elif key != META:
                judging.incidents.restore(key, entry)
        if newest_s:
            self._clock.saw(newest_s * 1000, newest_s * 1000)

    def _restore_meta(self, baseline: Baseline | None, document: dict[str, Any]) -> None:
        if document["format"] != STATE_FORMAT:
            raise WrongState(f"state of format {document['format']!r}, not {STATE_FORMAT}")
        self._counters.update(document["counters"])
        self._frontier, self._complete_from = document["frontier"], document["complete_from"]
        self._pruned = document["frontier"] or 0
        self._judging.judged_from = document["judged_from"]
        self._judging.silence.start = document["silent_from"]
        if document["clock_ms"]:
            self._clock.saw(document["clock_ms"], document["clock_ms"])
        if baseline is not None:
            frontier = self._frontier or 0
            same = document["baseline"] == baseline.version
            self._judging.use(baseline, document["judged_from"] if same else frontier, frontier)


def _restore_order(entry: tuple[str, bytes]) -> int:
    """Meta first, then orders, so that restored windows find the orders that they are made of."""
    key = entry[0]
    return 0 if key == META else 1 if key.startswith((ORDER_PREFIX, WAITING_PREFIX)) else 2


def _waiting_key(digest: bytes) -> str:
    return WAITING_PREFIX + digest.hex()
