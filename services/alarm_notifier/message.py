"""A message in the outbox: pending, claimed, then told or dropped. Pure.

```
            claim: attempt + 1, one conditional write             publish, then mark
  pending ──────────────────────────────────────────► claimed ────────────────────────► sent
     ▲  │                                              │    │
     │  └── what nobody needs to know ──► dropped      │    └─ its claimer died: the next one claims it again
     └───────────────── publishing failed: later again ┘
```

The claim comes before the publishing and counts the attempt, so that a death between the two, or before the mark,
makes the message go out once more, under the next attempt's number; nothing makes it go out never.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from contracts.codec import OrderRateAlarm

Kind = Literal["firing", "reminder", "resolved", "withdrawn", "merged", "digest", "test"]
Channel = Literal["webhook", "mail", "sms"]

TEST, DIGEST = "test", "digest"


class State(StrEnum):
    """How far a message is."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    DROPPED = "dropped"


class Message(Struct, frozen=True, kw_only=True):
    """One message about one incident, or a test, or a digest.

    Args:
        record: the incident's record that it tells of; None for a test or a digest.
        severity: which channels it asks for; for what ends an incident its own told severity counts.
        opening: of the incident, which it belongs to.
        version: rises with every write of the item.
        attempt: how often it was claimed to be published; it stands in what is published.
        failures: attempts in a row that are known to have failed.
        due_ms: not before this; moved on by a failure.
        group: the first message of those that go out as one; "" until that is decided.
        channels: decided with the group.
        audience: the severity that decides who is told.
        told: the severity that people know of once this one is told.
        quiet: tells of what was told already under another incident's name: no phone rings.
        held: why it waits although it is due, "" where it does not.
        outcome: why it was dropped.
        note: what a digest or a test says.
    """

    incident_id: str
    message_id: str
    kind: Kind
    record: OrderRateAlarm | None = None
    severity: str = ""
    opening: int = 0
    version: int = 1
    state: State = State.PENDING
    created_at_ms: int = 0
    due_ms: int = 0
    attempt: int = 0
    failures: int = 0
    group: str = ""
    channels: tuple[Channel, ...] = ()
    audience: str = ""
    told: str = ""
    quiet: bool = False
    held: str = ""
    outcome: str = ""
    note: str = ""
    error: str = ""
    sns_message_id: str = ""
    sent_at_ms: int = 0

    @property
    def open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.state in (State.PENDING, State.CLAIMED)

    @property
    def decided(self) -> bool:
        """Whether it was already decided that it goes out, with which others and by which channels."""
        return bool(self.group)

    def claimed(self, group: str, channels: tuple[Channel, ...]) -> Message:
        """As it stands before it is published."""
        return replace(
            self,
            version=self.version + 1,
            state=State.CLAIMED,
            attempt=self.attempt + 1,
            group=group,
            channels=channels,
            held="",
        )

    def sent(self, sns_message_id: str, now_ms: int) -> Message:
        """As it stands once SNS has it."""
        return replace(
            self,
            version=self.version + 1,
            state=State.SENT,
            sns_message_id=sns_message_id,
            sent_at_ms=now_ms,
            failures=0,
            error="",
        )

    def failed(self, error: str, again_ms: int) -> Message:
        """As it stands after an attempt that SNS did not take, or not for certain."""
        return replace(
            self,
            version=self.version + 1,
            state=State.PENDING,
            failures=self.failures + 1,
            error=error,
            due_ms=again_ms,
        )

    def dropped(self, outcome: str) -> Message:
        """As it stands when nobody needs to know."""
        return replace(self, version=self.version + 1, state=State.DROPPED, outcome=outcome, held="")

    def waiting(self, held: str) -> Message:
        """As it stands while it is held back."""
        return replace(self, version=self.version + 1, held=held)


def named(incident_id: str, number: int) -> str:
    """The id of an incident's message, so that ids are in the order of their messages."""
    return f"{incident_id}-{number:05d}"
