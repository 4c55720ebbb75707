"""How many orders a sender leaves unanswered at a time: more as long as it goes well, half when it does not.

A platform that is slow because its machine is busy would otherwise get the same orders again and again, and spend
its time on those: additive increase, multiplicative decrease, as in TCP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SMALLEST = 4.0
LARGEST = 512.0
FIRST = 64.0
REST_S = 1.0
"""After it was halved the window stays for so long: orders under way would halve it again for the same cause."""


class Window:
    """A bound of unanswered orders, shared by all connections of a sender."""

    def __init__(self, first: float = FIRST, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = first
        self.open = 0
        self._clock = clock
        self._halved_at = float("-inf")
        self._room = asyncio.Event()

    async def enter(self) -> None:
        """Waits for room and takes one place."""
        while self.open >= int(self.limit):
            self._room.clear()
            await self._room.wait()
        self.open += 1

    def leave(self, places: int = 1) -> None:
        """Gives places back; it says nothing about how it went."""
        self.open -= places
        self._room.set()

    def went_well(self) -> None:
        """One order got its final answer: a window full of those makes room for one more."""
        self.limit = min(LARGEST, self.limit + 1 / self.limit)

    def was_too_much(self) -> None:
        """The platform was busy, or did not answer."""
        now = self._clock()
        if now - self._halved_at >= REST_S:
            self._halved_at = now
            self.limit = max(SMALLEST, self.limit / 2)
