"""Work beside a caller that must not wait for it: one piece at a time, its errors told to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Beside:
    """Runs at most one piece of work at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a piece of work; none may be under way."""
        self._task = asyncio.create_task(work)

    def ended(self) -> bool:
        """Whether no work is under way.

        Raises:
            Exception: what the work ended with, once.
        """
        if self._task is None:
            return True
        if not self._task.done():
            return False
        task, self._task = self._task, None
        task.result()
        return True

    async def wait(self) -> None:
        """Wait for the work; errors come with `ended`."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
