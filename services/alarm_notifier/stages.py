"""What becomes of each message that is due, stage by stage. Pure: the world comes in as a `Situation`.

in turn → inhibit → silence → dedup → group → cap; what is left is told. A message whose way was decided once (it has
a group) goes that way however often it has to be tried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from services.alarm_notifier.incident import HEARTBEAT, SEVERITIES, Incident, severity_rank
from services.alarm_notifier.ledger import Ledger, Overflow
from services.alarm_notifier.message import DIGEST, TEST, Channel, Message
from services.alarm_notifier.silence import Silence

MAX_GROUP = 40
"""Messages that go out as one; two writes each fit into one transaction."""
_CHANNELS: dict[str, tuple[Channel, ...]] = {
    "": (),
    "info": (),
    "warning": ("webhook", "mail"),
    "critical": ("webhook", "mail", "sms"),
}
# A merged incident goes on under another name: that is for programs that keep a list. A digest is for phones.
_ONLY: dict[str, tuple[Channel, ...]] = {"merged": ("webhook",), "digest": ("sms",)}
_ENDS = frozenset({"resolved", "withdrawn"})
# No order at all says of every country that it has fewer.
_SAID_BY = {"surge": {"surge"}, "drop": {"drop", "silence"}, "silence": {"silence"}}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision rests on.

    Args:
        incidents: those that the messages are about, by id.
        firing: all that are open now.
        in_flight: ids of messages that we are publishing now.
    """

    now_ms: int
    incidents: Mapping[str, Incident]
    firing: Sequence[Incident] = ()
    silences: Sequence[Silence] = ()
    in_flight: frozenset[str] = frozenset()


class Drop(NamedTuple):
    """Nobody needs to know."""

    message: Message
    outcome: str


class Hold(NamedTuple):
    """It waits; `why` names what for."""

    message: Message
    why: str


@dataclass(frozen=True, slots=True)
class Tell:
    """These go out as one message."""

    messages: tuple[Message, ...]
    channels: tuple[Channel, ...]

    @property
    def group(self) -> str:
        """What the group is called: its first message's id."""
        return self.messages[0].group or self.messages[0].message_id


def decide(messages: Iterable[Message], situation: Situation) -> list[Drop | Hold | Tell]:
    """What is to be done now about the open messages of the outbox."""
    turn = in_turn(messages, situation)
    decisions: list[Drop | Hold | Tell] = []
    ready: list[Message] = []
    for message in turn:
        due = message.due_ms <= situation.now_ms
        if message.decided or not (due or _may_go_early(message)):
            continue
        verdict = judged(message, situation)
        if isinstance(verdict, Message):
            ready.append(verdict)
        elif due:
            decisions.append(verdict)
    again = [message for message in turn if message.decided and message.due_ms <= situation.now_ms]
    return decisions + grouped(ready, situation.now_ms) + _again(again)


def _may_go_early(message: Message) -> bool:
    """Whether it only waits for others to go with, so that it goes with the first of them."""
    return message.kind == "firing" and not message.failures


def in_turn(messages: Iterable[Message], situation: Situation) -> list[Message]:
    """The first open message of each incident: the end of an incident never overtakes its beginning."""
    first: dict[str, Message] = {}
    for message in sorted(messages, key=lambda one: one.message_id):
        # Tests and digests tell of no incident and wait for nothing.
        key = message.message_id if message.incident_id in (TEST, DIGEST) else message.incident_id
        first.setdefault(key, message)
    # One that is claimed and not in flight was left behind, by another worker's death or a lost answer to our claim.
    return [one for one in first.values() if one.open and one.message_id not in situation.in_flight]


def judged(message: Message, situation: Situation) -> Drop | Hold | Message:
    """One message alone: dropped, held back, or ready to go out, with who is to be told."""
    incident = situation.incidents.get(message.incident_id)
    if message.record is None or incident is None:
        return replace(message, audience=message.severity)
    told = incident.told_in(message.opening)
    if message.kind in _ENDS:
        # Even through a silence: who was told that it began is told that it is over.
        return replace(message, audience=told, told=told) if told else Drop(message, "never_told")
    if message.kind == "merged":
        return replace(message, audience="warning", quiet=True) if told else Drop(message, "never_told")
    hindrance = _gone(incident) or silenced(message, situation) or inhibited(message, situation)
    if message.kind == "reminder":
        # It is never told late: the next one comes.
        hindrance = hindrance or _needs_no_reminder(incident)
        return Drop(message, hindrance) if hindrance else replace(message, audience=told, told=told)
    if hindrance:
        still = incident.firing and incident.opening == message.opening
        return Hold(message, hindrance) if still else Drop(message, hindrance)
    return _firing(message, told, situation)


def _needs_no_reminder(incident: Incident) -> str:
    if incident.acknowledged_by:
        return "acknowledged"
    return "" if incident.firing else "resolved"


def _gone(incident: Incident) -> str:
    """Why its beginning is not worth telling any more: another name tells it, or it never was; "" where neither."""
    record = incident.record
    if record is None or record.resolution not in ("merged", "withdrawn"):
        return ""
    return f"merged:{record.merged_into}" if record.merged_into else "withdrawn"


def silenced(message: Message, situation: Situation) -> str:
    """The silence that an operator put over it, "" for none."""
    for silence in situation.silences:
        if (
            message.record is not None
            and silence.in_force(situation.now_ms)
            and silence.matches(message.record)
        ):
            return f"silenced:{silence.silence_id}"
    return ""


def inhibited(message: Message, situation: Situation) -> str:
    """The open worldwide incident that says the same of all countries together, "" for none."""
    alarm = message.record
    if alarm is None or alarm.key == "total":
        return ""
    for other in situation.firing:
        record = other.record
        if record is None or record.key != "total" or record.rule == HEARTBEAT or record.severity == "info":
            continue
        if record.direction in _SAID_BY[alarm.direction]:
            return f"inhibited:{other.incident_id}"
    return ""


def _firing(message: Message, told: str, situation: Situation) -> Message:
    """Told loudly, unless people know of it already, at least this urgent, by the name that it had before."""
    known = max([told, *_told_of_twins(message, situation)], key=severity_rank)
    if severity_rank(known) >= severity_rank(message.severity):
        return replace(message, audience="warning", told=known, quiet=True)
    return replace(message, audience=message.severity, told=message.severity)


def _told_of_twins(message: Message, situation: Situation) -> list[str]:
    """What people know of other open incidents of the same rule, key and direction.

    At most one is open: two are one whose merging is still on its way.
    """
    alarm = message.record
    return [
        other.told_in(other.opening)
        for other in situation.firing
        if alarm is not None
        and other.record is not None
        and other.incident_id != message.incident_id
        and (other.record.rule, other.record.key, other.record.direction)
        == (alarm.rule, alarm.key, alarm.direction)
    ]


def grouped(ready: Sequence[Message], now_ms: int) -> list[Drop | Hold | Tell]:
    """What is of one kind and direction goes out as one, the most urgent first, once one of them is due."""
    groups: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for one in ready:
        direction = one.record.direction if one.record is not None else one.message_id
        groups[one.kind, direction].append(one)
    tells: list[Drop | Hold | Tell] = []
    for members in groups.values():
        if all(one.due_ms > now_ms for one in members):
            continue
        members.sort(key=lambda one: (-severity_rank(one.audience), one.due_ms, one.message_id))
        tells += [_tell(members[at : at + MAX_GROUP]) for at in range(0, len(members), MAX_GROUP)]
    return tells


def _tell(members: Sequence[Message]) -> Tell:
    loudest = max(severity_rank(one.audience) for one in members)
    only = _ONLY.get(members[0].kind)
    return Tell(tuple(members), only or channels_of(SEVERITIES[loudest]))


def channels_of(severity: str) -> tuple[Channel, ...]:
    """Who is told: critical wakes somebody, warning tells those who watch, info is only stored."""
    return _CHANNELS[severity]


def _again(messages: Iterable[Message]) -> list[Drop | Hold | Tell]:
    """Groups that were decided before, as they were decided."""
    groups: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        groups[message.group].append(message)
    return [
        Tell(tuple(sorted(members, key=lambda one: one.message_id != group)), members[0].channels)
        for group, members in groups.items()
    ]


def capped(tell: Tell, ledger: Ledger, now_ms: int) -> tuple[Tell, Ledger]:
    """Count a message to phones, or, past the hour's cap, leave phones out and note it for the digest."""
    first = tell.messages[0]
    if "sms" not in tell.channels or first.decided or first.kind == "digest":
        return tell, ledger
    if ledger.has_room(now_ms):
        return tell, ledger.counted(now_ms)
    overflows = [Overflow.of(message) for message in tell.messages]
    channels = tuple(channel for channel in tell.channels if channel != "sms")
    return Tell(tell.messages, channels), ledger.overflowed(overflows, now_ms)
