"""A table that may be away: how long to wait for it, and when not to ask at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.kernel.core import logs
from services.kernel.core.errors import Fatal, Retryable, TimedOut, Unavailable

FAILURES = 5
"""So many calls that failed in a row, and the table counts as away."""

PROBE_S = 1.0
"""Seconds between the calls that are let through to a table that is away; the others fail at once."""

T = TypeVar("T")
log = logs.get("guard")


class Guard:
    """Bounds every call in time, and spares the callers of a table that is away the waiting.

    Args:
        what: the table, for the log.
        timeout_s: seconds a call may take.
        clock: monotonic seconds.
    """

    def __init__(self, what: str, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._timeout_s = timeout_s
        self._clock = clock
        self._failures = 0
        self._probe_at = 0.0

    @property
    def away(self) -> bool:
        """Whether the last calls failed, so many that only probes are let through."""
        return self._failures >= FAILURES

    async def call(self, fn: Callable[[], Awaitable[T]]) -> T:
        """Await `fn()`.

        Raises:
            Retryable: it failed, took too long or was not even tried; nothing else is told of a missing table or
                a missing permission, which others may mend while the process runs.
        """
        if self.away and not self._probes():
            raise Unavailable(f"{self._what}: away of late")
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await fn()
        except TimeoutError as error:
            self._failed(error)
            raise TimedOut(f"{self._what}: not within {self._timeout_s:g} s") from error
        except Retryable as error:
            self._failed(error)
            raise
        except Fatal as error:
            self._failed(error)
            raise Unavailable(self._what) from error
        if self.away:
            log.info("table is back", table=self._what)
        self._failures = 0
        return found

    def _probes(self) -> bool:
        now = self._clock()
        if now < self._probe_at:
            return False
        self._probe_at = now + PROBE_S
        return True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._probe_at = self._clock() + PROBE_S
            log.warning("table is away", error=error, table=self._what)
