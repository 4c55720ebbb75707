"""Makes the records of the contract `order_rate_alarm/1`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from contracts.scalars import timestamp
from flink_jobs.order_rate_alarm.clusters import Series

Record = dict[str, Any]
"""A document of the contract `order_rate_alarm/1`."""
SEVERITIES = ("info", "warning", "critical")
STATES = {None: 0, "recovered": 1, "withdrawn": 2, "merged": 3}
"""Rank of a record within one window, by its resolution."""
ENDED_FOR_GOOD = 2**52
"""Above every rank that a time gives, and within what a double holds exactly."""
MOST_MONEY = 10.0**15


class Window(NamedTuple):
    """One window of one series, as its record tells of it; None where nothing is known."""

    start_ms: int
    end_ms: int
    observed: int
    expected: float | None
    low: float | None
    high: float | None
    probability: float | None
    currency: str | None
    baseline_version: str | None


def timestamp_of(moment_ms: int) -> str:
    """A moment as contracts write it."""
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))


def make_record(
    incident_id: str,
    series: Series,
    resolution: str | None,
    merged_into: str | None,
    started_ms: int,
    window: Window,
    severity: str,
    money: float | None,
    detected_ms: int,
) -> Record:
    """One state change; its rank rises with the end of its window and, within one, from firing to over.

    What is merged or withdrawn ranks above everything else of its incident: a job that is restored from a snapshot may
    find out with an earlier window what the job that crashed had not known when it told of a later one.
    """
    return {
        "incident_id": incident_id,
        "rule": series.rule,
        "key": series.key,
        "direction": series.direction,
        "state": "resolved" if resolution else "firing",
        "rank": window.end_ms * 4 + STATES[resolution] + (ENDED_FOR_GOOD if STATES[resolution] > 1 else 0),
        "resolution": resolution,
        "merged_into": merged_into,
        "started_at": timestamp_of(started_ms),
        "window_start": timestamp_of(window.start_ms),
        "window_end": timestamp_of(window.end_ms),
        "observed": window.observed,
        "expected": _rounded(window.expected),
        "expected_low": _rounded(window.low),
        "expected_high": _rounded(window.high),
        "probability": window.probability,
        "severity": severity,
        "value_at_stake": None if money is None else f"{min(money, MOST_MONEY):.2f}",
        "currency": None if money is None else window.currency,
        "baseline_version": window.baseline_version,
        "detected_at": timestamp_of(detected_ms),
    }


def heartbeat(now_ms: int, baseline_version: str | None) -> Record:
    """The job's sign of life: an incident that is resolved for as long as it keeps coming."""
    window = Window(now_ms, now_ms, 0, None, None, None, None, None, baseline_version)
    series = Series("heartbeat", "total", "silence")
    return make_record(HEARTBEAT_ID, series, "recovered", None, now_ms, window, "info", None, now_ms)


HEARTBEAT_ID = hashlib.sha256(b"heartbeat\ntotal\nsilence").digest()[:16].hex()
"""One incident for ever: it has no start of its own."""


def _rounded(orders: float | None) -> float | None:
    return None if orders is None else round(orders, 4)
