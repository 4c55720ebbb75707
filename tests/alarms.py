"""Records of `order_rate_alarm/1` for tests."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from contracts.codec import OrderRateAlarm, decoder, encode
from services.alarm_notifier.times import to_text
from services.kernel.streams.records import Record

MINUTE_MS = 60_000
_STATES = {None: 0, "recovered": 1, "withdrawn": 2, "merged": 3}
_check = decoder("order_rate_alarm", 1)


def now_ms() -> int:
    """UTC milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def an_alarm(
    key: str = "total",
    *,
    rule: str = "learned",
    direction: str = "surge",
    resolution: str | None = None,
    severity: str = "critical",
    started_ms: int = 1_322_000_000_000,
    minutes: int = 10,
    age_ms: int = 0,
    **fields: Any,
) -> OrderRateAlarm:
    """A record of an incident; the same rule, key, direction and start are the same incident.

    Args:
        resolution: why it is over, None while it fires.
        minutes: from the incident's start to the end of the window that the record speaks of.
        age_ms: from the window's end to the detection.
    """
    started = to_text(started_ms)
    window_end_ms = started_ms + minutes * MINUTE_MS
    values: dict[str, Any] = {
        "incident_id": hashlib.sha256(f"{rule}\n{key}\n{direction}\n{started}".encode()).hexdigest()[:32],
        "rule": rule,
        "key": key,
        "direction": direction,
        "state": "firing" if resolution is None else "resolved",
        "rank": window_end_ms * 4 + _STATES[resolution],
        "resolution": resolution,
        "merged_into": None,
        "started_at": started,
        "window_start": to_text(window_end_ms - 10 * MINUTE_MS),
        "window_end": to_text(window_end_ms),
        "observed": 31,
        "expected": 6.25,
        "expected_low": 1.0,
        "expected_high": 15.0,
        "probability": 1.5e-09,
        "severity": severity,
        "value_at_stake": "9101.50",
        "currency": "GBP",
        "baseline_version": "2011-11-01",
        "detected_at": to_text(window_end_ms + age_ms),
    }
    return OrderRateAlarm(**{**values, **fields})


def a_heartbeat(moment_ms: int) -> OrderRateAlarm:
    """The job's sign of life at a moment."""
    return an_alarm(
        rule="heartbeat",
        direction="silence",
        resolution="recovered",
        severity="info",
        rank=moment_ms * 4 + 1,
        window_start=to_text(moment_ms),
        window_end=to_text(moment_ms),
        detected_at=to_text(moment_ms),
        observed=0,
        expected=None,
        expected_low=None,
        expected_high=None,
        probability=None,
        value_at_stake=None,
        currency=None,
    )


def a_record(alarm: OrderRateAlarm, sequence_number: int = 1) -> Record:
    """The record of a stream that carries an alarm, as its contract holds."""
    data = encode(alarm)
    _check(data)
    key = f"{alarm.rule}/{alarm.key}"
    return Record("shardId-000000000000", sequence_number, key, data, now_ms())
