"""Moments as contracts write them, and as milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contracts.scalars import timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(text: str) -> int:
    """UTC milliseconds since the epoch of a contract's timestamp."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def to_text(moment_ms: int) -> str:
    """A contract's timestamp of UTC milliseconds since the epoch."""
    return timestamp(_EPOCH + timedelta(milliseconds=moment_ms))
