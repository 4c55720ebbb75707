"""What nobody writes into the stream: reminders, the alarm job's silence, and digests for phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.alarm_notifier.delivery_lease import DeliveryLease
from services.alarm_notifier.incident import FIRING, HEARTBEAT, Incident, job_is_silent, reminded
from services.alarm_notifier.ledger import Ledger
from services.alarm_notifier.message import DIGEST, Message, named
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.store import AlarmStore
from services.kernel.adapters.dynamodb import ConditionFailed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long it waits before it says something, in milliseconds."""

    reminder_ms: int
    deadman_ms: int


class Watch:
    """Looks about once a second, in the worker that delivers."""

    def __init__(
        self, store: AlarmStore, lease: DeliveryLease, patience: Patience, metrics: NotifierMetrics
    ) -> None:
        self._store = store
        self._lease = lease
        self._patience = patience
        self._metrics = metrics

    async def look(self, now_ms: int, watching_since_ms: int) -> None:
        """Put what is due into the outbox.

        Args:
            watching_since_ms: since when we could have seen a sign of life.
        """
        for incident in reminders_due(await self._store.all_listed(FIRING), now_ms, self._patience):
            await self._change(incident, now_ms, remind=True)
        heartbeats = await self._store.all_listed(HEARTBEAT)
        latest = max((one.seen_at_ms for one in heartbeats), default=0)
        self._metrics.last_heartbeat.set((now_ms - latest) / 1000 if latest else 0.0)
        silent = silent_job(heartbeats, now_ms, watching_since_ms, self._patience)
        if silent is not None:
            await self._change(silent, now_ms, remind=False)
        await self._digest(now_ms)

    async def _change(self, listed: Incident, now_ms: int, remind: bool) -> None:
        """Write what is due of an incident, if the list, which may be late, still tells the truth of it."""
        incident = (await self._store.incidents([listed.incident_id])).get(listed.incident_id)
        if incident is None or incident.version != listed.version:
            return  # it is looked at again in a second
        change = reminded(incident, now_ms) if remind else job_is_silent(incident, now_ms)
        try:
            await self._store.change(change)
        except ConditionFailed:
            return

    async def _digest(self, now_ms: int) -> None:
        async with self._lease.lock:
            ledger = self._lease.ledger
            if not (self._lease.held and ledger.digest_due(now_ms)):
                return
            message, after = digest(ledger, now_ms)
            try:
                await self._store.update([], [self._lease.write(after), self._store.put_new(message)])
            except ConditionFailed:
                self._lease.doubt()
                return
            self._lease.ledger = after


def reminders_due(firing: Sequence[Incident], now_ms: int, patience: Patience) -> list[Incident]:
    """Those that people were told of, that nobody took on, and of which nothing was said for long."""
    return [
        one
        for one in firing
        if one.told_in(one.opening)
        and not one.acknowledged_by
        and now_ms - one.told_at_ms >= patience.reminder_ms
    ]


def silent_job(
    heartbeats: Sequence[Incident], now_ms: int, watching_since_ms: int, patience: Patience
) -> Incident | None:
    """The sign of life that did not come again in time; None while one came, or before the first ever."""
    if not heartbeats:
        return None
    latest = max(heartbeats, key=lambda one: one.seen_at_ms)
    silent_since_ms = max(latest.seen_at_ms, watching_since_ms)
    return latest if now_ms - silent_since_ms >= patience.deadman_ms else None


def digest(ledger: Ledger, now_ms: int) -> tuple[Message, Ledger]:
    """One SMS about all that went to no phone since the cap was reached."""
    count = len(ledger.waiting) + ledger.more
    keys = list(dict.fromkeys(one.key.removeprefix("country:") for one in ledger.waiting))
    critical = sum(one.severity == "critical" for one in ledger.waiting)
    note = f"DIGEST: {count} more messages ({critical} critical) not sent to phones: {', '.join(keys)}"
    after = ledger.digested()
    message = Message(
        incident_id=DIGEST,
        message_id=named(DIGEST, after.digests),
        kind="digest",
        severity="critical",
        created_at_ms=now_ms,
        due_ms=now_ms,
        note=note,
    )
    return message, after
