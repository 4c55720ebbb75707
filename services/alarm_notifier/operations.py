"""What operators do: look, acknowledge, silence, try the way to people. Each is harmless when it is repeated."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from services.alarm_notifier.incident import Change, Incident
from services.alarm_notifier.message import TEST, Message
from services.alarm_notifier.requests import SilenceRequest
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.store import AlarmStore
from services.kernel.adapters.dynamodb import ConditionFailed
from services.kernel.core.errors import CadabraError, Throttled

MAX_SILENCES = 100
"""In force at once."""
_TRIES = 8


class Conflict(CadabraError):
    """The operation does not fit what is; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Operations:
    """The operators' side of the alarm store.

    Args:
        wake: called when a message was put into the outbox, or may no longer be held back.
        now_ms: UTC milliseconds since the epoch.
    """

    def __init__(
        self,
        store: AlarmStore,
        wake: Callable[[], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._wake = wake
        self._now_ms = now_ms

    async def listed(
        self, state: str, limit: int, start_key: dict[str, Any] | None
    ) -> tuple[list[Incident], dict[str, Any] | None]:
        """One page of incidents, newest first, and where the next one starts."""
        return await self._store.listed(state, limit, start_key)

    async def shown(self, incident_id: str) -> tuple[Incident, list[Message]] | None:
        """One incident with its messages; None where there is none."""
        incident = await self._store.incident(incident_id)
        if incident.record is None:
            return None
        return incident, await self._store.messages_of(incident_id)

    async def acknowledge(self, incident_id: str, operator: str) -> Incident | None:
        """Take an incident on: nobody is reminded of it any more. Who was first stays.

        Returns:
            The incident; None where there is none.

        Raises:
            Conflict: `not_firing`.
        """
        for _ in range(_TRIES):
            incident = await self._store.incident(incident_id)
            if incident.record is None:
                return None
            if not incident.firing:
                raise Conflict("not_firing", "only an incident that fires can be acknowledged")
            if incident.acknowledged_by:
                return incident
            taken = replace(
                incident,
                version=incident.version + 1,
                acknowledged_by=operator,
                acknowledged_at_ms=self._now_ms(),
            )
            try:
                await self._store.change(Change(taken))
            except ConditionFailed:
                continue
            return taken
        raise Throttled(f"incident {incident_id} changes faster than it can be read")

    async def silence(self, asked: SilenceRequest, operator: str) -> Silence:
        """Tell nobody of what matches, for a while.

        Raises:
            Conflict: `too_many_silences`.
        """
        now_ms = self._now_ms()
        if len(await self._store.silences(now_ms)) >= MAX_SILENCES:
            raise Conflict("too_many_silences", f"{MAX_SILENCES} silences are in force: expire one first")
        silence = Silence(
            silence_id=uuid.uuid4().hex,
            rule=asked.rule,
            key=asked.key,
            direction=asked.direction,
            reason=asked.reason,
            created_by=operator,
            created_at_ms=now_ms,
            ends_at_ms=now_ms + int(asked.duration_s * 1000),
        )
        await self._store.put_silence(silence)
        return silence

    async def silences(self) -> list[Silence]:
        """Those in force, the one that ends first first."""
        return await self._store.silences(self._now_ms())

    async def expire(self, silence_id: str) -> Silence | None:
        """End a silence now; None where none of this id is in force."""
        for silence in await self.silences():
            if silence.silence_id == silence_id:
                ended = replace(silence, expired_at_ms=self._now_ms())
                await self._store.put_silence(ended)
                self._wake()
                return ended
        return None

    async def test(self, severity: str, operator: str) -> Message:
        """Put a message into the outbox that goes the way of an alarm of this severity."""
        now_ms = self._now_ms()
        message = Message(
            incident_id=TEST,
            message_id=f"{TEST}-{uuid.uuid4().hex}",
            kind="test",
            severity=severity,
            created_at_ms=now_ms,
            due_ms=now_ms,
            note=f"TEST by {operator}: this is no alarm, the way to you works",
        )
        await self._store.add(message)
        self._wake()
        return message

    async def tested(self, message_id: str) -> Message | None:
        """A test message as it stands now."""
        return await self._store.message(TEST, message_id)
