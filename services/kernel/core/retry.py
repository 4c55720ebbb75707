"""Retry: one policy for every Retryable error, exponential backoff with full jitter.

Source: full jitter, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.kernel.core.errors import Retryable

T = TypeVar("T")
_MAX_DOUBLINGS = 60  # keeps 2**attempt a small float however long an outage lasts


class Retry:
    """Repeats a call that raised Retryable, after a random pause that doubles its range each time.

    Args:
        base_s: range of the first pause, seconds above 0.
        cap_s: largest range, seconds.
        budget_s: seconds from the first call after which no further one starts; None never gives up.
        rng, sleep, clock: randomness and time, given from outside by tests.
    """

    def __init__(
        self,
        base_s: float = 0.05,
        cap_s: float = 5.0,
        budget_s: float | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_s = base_s
        self.cap_s = cap_s
        self.budget_s = budget_s
        self._rng = rng or random.Random()
        self._sleep = sleep
        self._clock = clock

    def delay_s(self, attempt: int) -> float:
        """A pause before the next try, uniform in 0 to min(cap, base times 2 to the attempt).

        Args:
            attempt: how many tries failed before this one failed, from 0.
        """
        return self._rng.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(attempt, _MAX_DOUBLINGS)))

    async def pause(self, attempt: int) -> None:
        """Wait as `delay_s` says."""
        await self._sleep(self.delay_s(attempt))

    async def call(
        self,
        fn: Callable[[], Awaitable[T]],
        on_retry: Callable[[Retryable, int, float], None] | None = None,
    ) -> T:
        """Await `fn()` until it returns or raises something other than Retryable.

        Args:
            on_retry: told the error, the attempt from 0 and the pause in seconds, before each pause.

        Raises:
            Retryable: the last one, when the next try would start past the budget.
        """
        started = self._clock()
        attempt = 0
        while True:
            try:
                return await fn()
            except Retryable as error:
                delay_s = self.delay_s(attempt)
                if self.budget_s is not None and self._clock() - started + delay_s > self.budget_s:
                    raise
                if on_retry is not None:
                    on_retry(error, attempt, delay_s)
            await self._sleep(delay_s)
            attempt += 1
