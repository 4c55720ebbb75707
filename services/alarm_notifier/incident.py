"""An incident and what a record of the stream makes of it. Pure.

Of an incident's records the one of the highest rank counts; every other one changes nothing. An incident that fires
again after it was over is opened anew: what was told of an earlier opening is not told of this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from contracts.codec import OrderRateAlarm
from services.alarm_notifier.message import Kind, Message, State, named
from services.alarm_notifier.times import to_ms, to_text

FIRING, RESOLVED, HEARTBEAT = "firing", "resolved", "heartbeat"
SEVERITIES = ("", "info", "warning", "critical")
"""By rank; "" is what nobody was told."""
_STATES_IN_A_RANK = 4
_NOTICE_OF: dict[str | None, Kind] = {"recovered": "resolved", "withdrawn": "withdrawn", "merged": "merged"}


class Incident(Struct, frozen=True, kw_only=True):
    """What is known of one incident.

    Args:
        version: rises with every write of the item; 0 before the first.
        record: the one of the highest rank; None where only the incident that became part of it is known.
        opening: how often it was opened, from 1.
        messages: how many were made about it.
        told: the highest severity that people were told of the opening `told_opening`, "" for nothing.
        told_at_ms: when that was, or when they were last reminded.
        seen_at_ms: when the record came to us, by our clock.
        acknowledged_by: the operator who took it on in this opening, "" for nobody.
    """

    incident_id: str
    version: int = 0
    record: OrderRateAlarm | None = None
    opening: int = 0
    messages: int = 0
    told: str = ""
    told_opening: int = 0
    told_at_ms: int = 0
    seen_at_ms: int = 0
    acknowledged_by: str = ""
    acknowledged_at_ms: int = 0

    @property
    def firing(self) -> bool:
        """Whether it is open."""
        return self.record is not None and self.record.state == FIRING

    @property
    def list(self) -> str:
        """Which list it stands in: firing, resolved, or heartbeat for a job that gives signs of life; "" for none."""
        if self.record is None:
            return ""
        if self.record.rule == HEARTBEAT and not self.firing:
            return HEARTBEAT
        return self.record.state

    def told_in(self, opening: int) -> str:
        """The highest severity that was told of this opening."""
        return self.told if self.told_opening == opening else ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a record makes of an incident: its new state and the message that is due, written as one.

    Args:
        successor: the incident that this one became a part of; it inherits what was told.
    """

    incident: Incident
    message: Message | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """When messages are due.

    Args:
        max_age_ms: a detection that came longer than this after its window is told to nobody.
        group_wait_ms: how long a message waits for others to go with it; a country's waits twice as long, so that
            a worldwide incident is known by then.
    """

    max_age_ms: int
    group_wait_ms: int


def severity_rank(severity: str) -> int:
    """How urgent, from 0 for nothing."""
    return SEVERITIES.index(severity)


def apply(before: Incident, alarm: OrderRateAlarm, now_ms: int, timing: Timing) -> Change | None:
    """What this record changes.

    Args:
        before: the incident as it is known; of version 0 where it is not.

    Returns:
        None where the record's rank is not above the known one: a repeat, or overtaken.
    """
    old = before.record
    if old is not None and alarm.rank <= old.rank:
        return None
    after = replace(before, record=alarm, version=before.version + 1, seen_at_ms=now_ms)
    if alarm.state == FIRING:
        return _fired(before, after, alarm, now_ms, timing)
    successor = alarm.merged_into if before.told_in(before.opening) else None
    kind = _NOTICE_OF[alarm.resolution]
    said_before = old is None or old.resolution == alarm.resolution
    if said_before or not before.messages:
        return Change(after, successor=successor)
    return Change(*_noticed(after, kind, now_ms, now_ms), successor)


def _fired(before: Incident, after: Incident, alarm: OrderRateAlarm, now_ms: int, timing: Timing) -> Change:
    opens = not before.firing
    if opens:
        after = replace(after, opening=before.opening + 1, acknowledged_by="", acknowledged_at_ms=0)
    known = "" if opens or before.record is None else before.record.severity
    if alarm.severity == "info" or severity_rank(alarm.severity) <= severity_rank(known):
        return Change(after)
    waits = timing.group_wait_ms * (1 if alarm.key == "total" else 2)
    incident, message = _noticed(after, "firing", now_ms, now_ms + waits)
    if to_ms(alarm.detected_at) - to_ms(alarm.window_end) > timing.max_age_ms:
        message = replace(message, state=State.DROPPED, outcome="too_old")
    return Change(incident, message)


def inherited(successor: Incident, told: str, now_ms: int) -> Incident | None:
    """The incident that another one became a part of: people know of it already. None where it says so itself."""
    opening = max(1, successor.opening)
    if successor.told_in(opening):
        return None
    return replace(
        successor, version=successor.version + 1, told=told, told_opening=opening, told_at_ms=now_ms
    )


def reminded(incident: Incident, now_ms: int) -> Change:
    """Tell again that it still fires."""
    after = replace(incident, version=incident.version + 1, told_at_ms=now_ms)
    return Change(*_noticed(after, "reminder", now_ms, now_ms))


def job_is_silent(heartbeat: Incident, now_ms: int) -> Change:
    """Open the incident that the job's own sign of life stands for.

    A sign of life that is younger than this moment resolves it, by its higher rank.
    """
    last = heartbeat.record
    if last is None:
        raise ValueError("only a job that gave a sign of life can fall silent")
    moment = to_text(now_ms)
    alarm = msgspec.structs.replace(
        last,
        state=FIRING,
        resolution=None,
        rank=max(now_ms * _STATES_IN_A_RANK, last.rank + 1),
        severity="critical",
        started_at=last.window_end,
        window_start=last.window_end,
        window_end=moment,
        observed=0,
        detected_at=moment,
    )
    change = apply(heartbeat, alarm, now_ms, Timing(max_age_ms=0, group_wait_ms=0))
    if change is None:
        raise AssertionError("its rank is above the last one's")
    return change


def _noticed(incident: Incident, kind: Kind, now_ms: int, due_ms: int) -> tuple[Incident, Message]:
    number = incident.messages + 1
    record = incident.record
    message = Message(
        incident_id=incident.incident_id,
        message_id=named(incident.incident_id, number),
        kind=kind,
        record=record,
        severity=record.severity if record is not None else "",
        opening=incident.opening,
        created_at_ms=now_ms,
        due_ms=due_ms,
    )
    return replace(incident, messages=number), message
