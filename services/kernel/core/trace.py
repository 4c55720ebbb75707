"""W3C trace context: one id follows an order from the HTTP request to every sink.

Source: https://www.w3.org/TR/trace-context/ (traceparent, version 00).
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_LENGTH = 55  # of version 00; a later version may append to it
# Ids must not repeat; they are no secret, and the system's source would cost a call for each.
_random = random.Random()


@dataclass(frozen=True, slots=True)
class Trace:
    """One point in a trace.

    Args:
        trace_id: 32 hex digits, the same from end to end.
        span_id: 16 hex digits of the caller's step.
        sampled: whether the caller records it.
    """

    trace_id: str
    span_id: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


current: ContextVar[Trace | None] = ContextVar("cadabra_trace", default=None)


def parse(traceparent: str | None) -> Trace | None:
    """Read a traceparent header; None when it is absent or malformed, as the standard asks."""
    if traceparent is None or (traceparent.startswith("00") and len(traceparent) != _LENGTH):
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    return Trace(match[1], match[2], bool(int(match[3], 16) & 1))


def new() -> Trace:
    """Start a trace with random ids."""
    return Trace(f"{_random.getrandbits(128) or 1:032x}", f"{_random.getrandbits(64) or 1:016x}")
