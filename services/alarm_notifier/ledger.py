"""The phones' ledger: how many SMS went out in the last hour, and what waits for the digest. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from services.alarm_notifier.message import Message

HOUR_MS = 3_600_000
_MAX_NOTED = 50


class Overflow(Struct, frozen=True, kw_only=True):
    """One message that went to no phone because of the cap."""

    message_id: str
    kind: str
    severity: str
    key: str

    @classmethod
    def of(cls, message: Message) -> Overflow:
        """What the digest says of it."""
        key = message.record.key if message.record is not None else message.incident_id
        return cls(message_id=message.message_id, kind=message.kind, severity=message.severity, key=key)


class Ledger(Struct, frozen=True, kw_only=True):
    """Held in the delivery lease's item, and written in the transaction of the claim that it counts.

    Args:
        cap: SMS in any hour, digests not counted.
        digest_every_ms: past the cap, from the first message that went to no phone to the digest that tells of it.
        told_ms: when the last hour's went out.
        waiting: what the next digest tells of, at most 50; `more` are beyond.
        since_ms: when the first of them was held back, 0 for none.
        digests: how many were made.
    """

    cap: int
    digest_every_ms: int
    told_ms: tuple[int, ...] = ()
    waiting: tuple[Overflow, ...] = ()
    more: int = 0
    since_ms: int = 0
    digests: int = 0

    def has_room(self, now_ms: int) -> bool:
        """Whether one more SMS stays within the cap."""
        return len(self._within(now_ms)) < self.cap

    def counted(self, now_ms: int) -> Ledger:
        """With one more SMS."""
        return replace(self, told_ms=(*self._within(now_ms), now_ms))

    def overflowed(self, messages: Sequence[Overflow], now_ms: int) -> Ledger:
        """With messages that no phone was told of."""
        waiting = (*self.waiting, *messages)
        more = self.more + max(0, len(waiting) - _MAX_NOTED)
        return replace(self, waiting=waiting[:_MAX_NOTED], more=more, since_ms=self.since_ms or now_ms)

    def digest_due(self, now_ms: int) -> bool:
        """Whether it is time to tell phones what they were not told."""
        return bool(self.waiting) and now_ms >= self.since_ms + self.digest_every_ms

    def digested(self) -> Ledger:
        """With nothing waiting."""
        return replace(self, waiting=(), more=0, since_ms=0, digests=self.digests + 1)

    def _within(self, now_ms: int) -> tuple[int, ...]:
        return tuple(moment for moment in self.told_ms if moment > now_ms - HOUR_MS)
