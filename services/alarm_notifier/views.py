"""Incidents, messages and silences as operators see them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from services.alarm_notifier.incident import Incident
from services.alarm_notifier.message import Message
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.times import to_text


def incident(shown: Incident) -> dict[str, Any]:
    """One incident: its record, who took it on, and what people know of it."""
    return {
        **msgspec.to_builtins(shown.record),
        "openings": shown.opening,
        "told_severity": shown.told_in(shown.opening) or None,
        "told_at": _moment(shown.told_at_ms),
        "acknowledged_by": shown.acknowledged_by or None,
        "acknowledged_at": _moment(shown.acknowledged_at_ms),
        "seen_at": _moment(shown.seen_at_ms),
    }


def message(shown: Message) -> dict[str, Any]:
    """One message: how far it is, and why."""
    return {
        "message_id": shown.message_id,
        "kind": shown.kind,
        "severity": shown.severity or None,
        "state": shown.state.value,
        "attempt": shown.attempt,
        "channels": list(shown.channels),
        "continues": shown.quiet,
        "held": shown.held or None,
        "outcome": shown.outcome or None,
        "error": shown.error or None,
        "created_at": _moment(shown.created_at_ms),
        "due_at": _moment(shown.due_ms),
        "sent_at": _moment(shown.sent_at_ms),
        "sns_message_id": shown.sns_message_id or None,
    }


def silence(shown: Silence) -> dict[str, Any]:
    """One silence."""
    return {
        "silence_id": shown.silence_id,
        "rule": shown.rule,
        "key": shown.key,
        "direction": shown.direction,
        "reason": shown.reason,
        "created_by": shown.created_by,
        "created_at": _moment(shown.created_at_ms),
        "ends_at": _moment(shown.ends_at_ms),
        "expired_at": _moment(shown.expired_at_ms),
    }


def _moment(moment_ms: int) -> str | None:
    return to_text(moment_ms) if moment_ms else None
