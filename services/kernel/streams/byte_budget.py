"""A bound in bytes over what is open at once: without room nothing is fetched, and nothing is taken."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """Bytes that may be open at once; who finds no room waits, first come first served.

    Args:
        limit_bytes: the bound; one request alone may exceed it, so that no record is too large to be read.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, size_bytes: int) -> None:
        """Wait until there is room and take it; there is no timeout that would skip anything."""
        if self.try_reserve(size_bytes):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size_bytes)
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
                self._wake()
            raise

    def try_reserve(self, size_bytes: int) -> bool:
        """Take room if there is some and nobody waits for it."""
        if self._waiting or not self._fits(size_bytes):
            return False
        self.used_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        self.used_bytes -= size_bytes
        self._wake()

    def _fits(self, size_bytes: int) -> bool:
        return self.used_bytes == 0 or self.used_bytes + size_bytes <= self.limit_bytes

    def _wake(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size_bytes, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.used_bytes += size_bytes
                turn.set_result(None)
