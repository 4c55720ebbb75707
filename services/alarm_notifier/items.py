"""Incidents, messages and silences as items of their tables. Pure.

The whole is one JSON text, `body`; beside it stand the keys, what conditions look at, and what is changed without
being read (an incident's `told...`, which the delivery sets while records of the stream come in).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from services.alarm_notifier.incident import Incident
from services.alarm_notifier.message import Message
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.times import to_text
from services.kernel.adapters.dynamodb import Item

OPEN = "open"
SILENCES = "silences"

_incident = msgspec.json.Decoder(Incident)
_message = msgspec.json.Decoder(Message)
_silence = msgspec.json.Decoder(Silence)


def of_incident(incident: Incident) -> Item:
    """The item of an incident; one of which only the successor's id is known stands in no list."""
    item = {
        "incident_id": _s(incident.incident_id),
        "version": _n(incident.version),
        "told": _s(incident.told),
        "told_opening": _n(incident.told_opening),
        "told_at_ms": _n(incident.told_at_ms),
        "body": _s(msgspec.json.encode(incident).decode()),
    }
    if incident.record is not None:
        item["list"] = _s(incident.list)
        item["started_sort"] = _s(f"{incident.record.started_at}#{incident.incident_id}")
    return item


def incident(item: Item) -> Incident:
    """The incident of an item."""
    return replace(
        _incident.decode(item["body"]["S"]),
        version=int(item["version"]["N"]),
        told=item["told"]["S"],
        told_opening=int(item["told_opening"]["N"]),
        told_at_ms=int(item["told_at_ms"]["N"]),
    )


def of_message(message: Message) -> Item:
    """The item of a message; only an open one stands in the index of what is due."""
    item = {
        "incident_id": _s(message.incident_id),
        "message_id": _s(message.message_id),
        "version": _n(message.version),
        "state": _s(message.state.value),
        "body": _s(msgspec.json.encode(message).decode()),
    }
    if message.open:
        item["open"] = _s(OPEN)
        item["due_sort"] = _s(f"{to_text(message.due_ms)}#{message.message_id}")
    return item


def message(item: Item) -> Message:
    """The message of an item."""
    return _message.decode(item["body"]["S"])


def of_silence(silence: Silence) -> Item:
    """The item of a silence."""
    return {
        "list": _s(SILENCES),
        "silence_sort": _s(f"{to_text(silence.ends_at_ms)}#{silence.silence_id}"),
        "body": _s(msgspec.json.encode(silence).decode()),
    }


def silence(item: Item) -> Silence:
    """The silence of an item."""
    return _silence.decode(item["body"]["S"])


def _s(text: str) -> dict[str, Any]:
    return {"S": text}


def _n(number: int) -> dict[str, Any]:
    return {"N": str(number)}
