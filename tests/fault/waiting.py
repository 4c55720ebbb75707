"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], bool | Awaitable[bool]], timeout_s: float, what: str, poll_s: float = 0.05
) -> float:
    """Wait for a condition; a deadline that passes is an assertion that names what was waited for.

    Returns: how long it took, in seconds.
    """
    begin_s = time.monotonic()
    while True:
        outcome = condition()
        if outcome if isinstance(outcome, bool) else await outcome:
            return time.monotonic() - begin_s
        assert time.monotonic() - begin_s < timeout_s, f"after {timeout_s} s still not: {what}"
        await asyncio.sleep(poll_s)
