"""One record of the stream: what it changes is written once, in whatever order records come and how often."""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.codec import ContractViolation, decoder
from services.alarm_notifier.incident import HEARTBEAT, Change, Incident, Timing, apply, inherited
from services.alarm_notifier.message import State
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.store import AlarmStore
from services.kernel.adapters.dynamodb import ConditionFailed
from services.kernel.core.errors import Detail, InvalidRecord, Throttled
from services.kernel.streams.records import Record

_TRIES = 8
_decode = decoder("order_rate_alarm", 1)


class AlarmHandler:
    """The handler of the consumer group.

    Args:
        wake: called when a message was put into the outbox.
        now_ms: UTC milliseconds since the epoch.
    """

    def __init__(
        self,
        store: AlarmStore,
        timing: Timing,
        metrics: NotifierMetrics,
        wake: Callable[[], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._timing = timing
        self._metrics = metrics
        self._wake = wake
        self._now_ms = now_ms

    async def handle(self, record: Record) -> None:
        """Make a record's effect durable: the incident's state and its message, together.

        Raises:
            InvalidRecord: the record breaks its contract; nothing was written.
            Retryable: the store is away or throttles; repeating the whole is harmless.
        """
        try:
            alarm = _decode(record.data)
        except ContractViolation as violation:
            details = [Detail(fault.pointer, fault.reason) for fault in violation.details]
            raise InvalidRecord(violation.reason, violation.message, details) from violation
        for _ in range(_TRIES):
            before = await self._store.incident(alarm.incident_id)
            change = apply(before, alarm, self._now_ms(), self._timing)
            if change is None:
                self._metrics.repeated.inc()
                return
            try:
                await self._store.change(change, await self._heir(change))
            except ConditionFailed:
                continue  # a message about it was just marked, or another worker has the same record
            self._count(change)
            return
        raise Throttled(f"incident {alarm.incident_id} changes faster than it can be read")

    async def _heir(self, change: Change) -> Incident | None:
        if change.successor is None:
            return None
        successor = await self._store.incident(change.successor)
        return inherited(successor, change.incident.told, self._now_ms())

    def _count(self, change: Change) -> None:
        record = change.incident.record
        if record is not None and record.rule == HEARTBEAT:
            self._metrics.heartbeats.inc()
        else:
            self._metrics.changes.labels(state=change.incident.list).inc()
        if change.message is None:
            return
        if change.message.state is State.DROPPED:
            self._metrics.dropped.labels(why=change.message.outcome).inc()
        else:
            self._wake()
