"""What a message says, for each who reads it: a phone, a mailbox, a program. Pure.

An SMS is one part of 160 septets: what, where, how much, since when, link. Names are cut before anything else is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from contracts.codec import OrderRateAlarm
from services.alarm_notifier import gsm7
from services.alarm_notifier.incident import HEARTBEAT
from services.alarm_notifier.message import DIGEST, TEST, Message
from services.alarm_notifier.stages import Tell
from services.alarm_notifier.times import to_ms
from services.kernel.adapters.sns import MAX_SUBJECT_CHARS

SCHEMA = "cadabra.alarm_message/1"
_HEADS = {"reminder": "STILL ", "resolved": "OVER ", "withdrawn": "NEVER WAS ", "merged": "MERGED "}
_LEAST_NAME_SEPTETS = 8
_MANY = 10_000_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """One SNS publish.

    Args:
        texts: by protocol.
        attributes: what subscriptions filter by, and what tells a repeat from something new.
    """

    subject: str
    texts: dict[str, str]
    attributes: dict[str, str | Sequence[str]]


def render(tell: Tell, console_url: str) -> Rendered:
    """Word a group of claimed messages for every protocol.

    Args:
        console_url: where a person looks closer; "" for none.
    """
    head = tell.messages[0]
    document = json.dumps(_document(tell, console_url), ensure_ascii=False)
    sms = sms_text(tell, console_url)
    return Rendered(
        subject=_subject(tell),
        texts={
            "default": sms,
            "sms": sms,
            "email": _mail(tell, console_url),
            "http": document,
            "https": document,
        },
        attributes={
            "channels": tell.channels,
            "kind": head.kind,
            "severity": head.severity or "none",
            "incident_id": head.incident_id,
            "message_id": tell.group,
            "attempt": str(head.attempt),
        },
    )


def short_id(incident_id: str) -> str:
    """An incident's id in 22 characters, base64url of its 16 bytes, for links in SMS."""
    return base64.urlsafe_b64encode(bytes.fromhex(incident_id)).rstrip(b"=").decode()


def link(message: Message, console_url: str) -> str:
    """Where a person looks closer; "" without a console."""
    if not console_url or message.incident_id in (TEST, DIGEST):
        return console_url
    return f"{console_url}/i/{short_id(message.incident_id)}"


def sms_text(tell: Tell, console_url: str) -> str:
    """One part of an SMS, at most 160 septets, whatever the names."""
    head = tell.messages[0]
    end = _sms_end(tell, console_url)
    alarm = head.record
    if alarm is None:
        return gsm7.cut(gsm7.written(head.note), gsm7.PART_SEPTETS - gsm7.septets(end)) + end
    start = f"{_HEADS.get(head.kind, '')}{alarm.severity.upper()} "
    amount = f": {_amount(alarm)}, since {_moment(alarm.started_at)}"
    if alarm.rule == HEARTBEAT:
        start, amount = start + "alarm job silent", f", since {_moment(alarm.started_at)}"
        return gsm7.cut(start + amount, gsm7.PART_SEPTETS - gsm7.septets(end)) + end
    start += f"{alarm.direction} "
    room = gsm7.PART_SEPTETS - gsm7.septets(start + end)
    amount = gsm7.cut(amount, room - _LEAST_NAME_SEPTETS)
    name = gsm7.cut(gsm7.written(place(alarm)), room - gsm7.septets(amount))
    return start + name + amount + end


def _sms_end(tell: Tell, console_url: str) -> str:
    """How many more there are, which attempt it is, and where to look, or at least which incident it is."""
    head = tell.messages[0]
    more = f" +{len(tell.messages) - 1} more" if len(tell.messages) > 1 else ""
    again = f" (attempt {head.attempt})" if head.attempt > 1 else ""
    where = link(head, console_url)
    if not where and head.record is not None:
        where = f"ref {short_id(head.incident_id)}"
    return f"{more}{again} {where}" if where else f"{more}{again}"


def place(alarm: OrderRateAlarm) -> str:
    """What was counted, for people."""
    return "worldwide" if alarm.key == "total" else alarm.key.removeprefix("country:")


def _amount(alarm: OrderRateAlarm) -> str:
    minutes = (to_ms(alarm.window_end) - to_ms(alarm.window_start)) / 60_000
    window = f"{minutes:.3g} min" if minutes >= 1 else f"{minutes * 60:.3g} s"
    return f"{_count(alarm.observed)} orders in {window}{_usual(alarm)}"


def _usual(alarm: OrderRateAlarm) -> str:
    if alarm.expected is not None:
        return f", usual {_count(alarm.expected)}"
    if alarm.expected_high is not None:
        return f", limit {_count(alarm.expected_high)}"
    return ""


def _count(number: float) -> str:
    return f"{number:.10g}" if abs(number) < _MANY and number == int(number) else f"{number:.3g}"


def _moment(text: str) -> str:
    """Day and minute, in UTC."""
    return f"{text[5:10]} {text[11:16]}Z"


def _subject(tell: Tell) -> str:
    head = tell.messages[0]
    if head.record is None:
        text = f"Cadabra: {head.kind}"
    else:
        alarm = head.record
        what = "alarm job silent" if alarm.rule == HEARTBEAT else f"{alarm.direction} {place(alarm)}"
        text = f"{_HEADS.get(head.kind, '')}{alarm.severity}: orders: {what}"
    more = f" +{len(tell.messages) - 1} more" if len(tell.messages) > 1 else ""
    return gsm7.ascii_written(text)[: MAX_SUBJECT_CHARS - len(more)] + more


def _mail(tell: Tell, console_url: str) -> str:
    return "\n\n".join(_paragraph(message, console_url) for message in tell.messages) + "\n"


def _paragraph(message: Message, console_url: str) -> str:
    alarm = message.record
    lines = [message.note] if message.note else []
    if alarm is not None:
        lines += [
            f"{_HEADS.get(message.kind, '')}{alarm.severity.upper()}: {_what(alarm)}",
            f"Since: {alarm.started_at}; window {alarm.window_start} to {alarm.window_end}",
            f"Rule: {alarm.rule}, baseline {alarm.baseline_version}, probability {_or_none(alarm.probability)}",
            f"At stake: {alarm.value_at_stake} {alarm.currency or ''}"
            if alarm.value_at_stake
            else "At stake: not known",
            f"Incident: {message.incident_id}",
        ]
        if alarm.merged_into:
            lines.append(f"Goes on as: {alarm.merged_into}")
    lines.append(f"Message: {message.message_id}, attempt {message.attempt}")
    if console_url:
        lines.append(link(message, console_url))
    return "\n".join(lines)


def _what(alarm: OrderRateAlarm) -> str:
    if alarm.rule == HEARTBEAT:
        return "the job that watches the orders gives no sign of life"
    return f"{alarm.direction} of orders, {place(alarm)}: {_amount(alarm)}{_band(alarm)}"


def _band(alarm: OrderRateAlarm) -> str:
    if alarm.expected_low is None or alarm.expected_high is None:
        return ""
    return f" ({_count(alarm.expected_low)} to {_count(alarm.expected_high)})"


def _or_none(number: float | None) -> str:
    return "none" if number is None else f"{number:.2g}"


def _document(tell: Tell, console_url: str) -> dict[str, Any]:
    """What programs get; the README documents it."""
    head = tell.messages[0]
    return {
        "schema": SCHEMA,
        "message_id": tell.group,
        "attempt": head.attempt,
        "kind": head.kind,
        "incident_id": head.incident_id,
        "severity": head.severity or None,
        "state": head.record.state if head.record is not None else None,
        "channels": list(tell.channels),
        "note": head.note or None,
        "link": link(head, console_url) or None,
        "incidents": [_told(message, console_url) for message in tell.messages if message.record],
    }


def _told(message: Message, console_url: str) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "attempt": message.attempt,
        "continues": message.quiet,
        "link": link(message, console_url) or None,
        "record": msgspec.to_builtins(message.record),
    }
