"""An event loop without a world: time jumps to the next timer, and a worker can be frozen or killed in mid-air.

What runs under it is the product's own asyncio code. Every callback carries the context it was scheduled in, and the
context says which worker it belongs to: the callbacks of a frozen worker wait, those of a dead one never run again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Life:
    """Whether the callbacks of one worker run.

    Args:
        frozen_until_s: virtual time before which nothing of it runs, as after SIGSTOP.
        dead: nothing of it ever runs again, as after SIGKILL.
    """

    frozen_until_s: float = 0.0
    dead: bool = False


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Stuck(Exception):
    """Nothing is scheduled and the main task has not ended."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in a fixed order; the same program gives the same run."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._clock_resolution = 1e-9
        self._ready: Any
        self._scheduled: list[Any]
        self.steps = 0

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def abandon(self) -> None:
        """Let go of everything that is still scheduled; what dead workers left is collected in silence."""
        self.set_exception_handler(lambda _loop, _details: None)
        self._ready.clear()
        self._scheduled.clear()

    def __del__(self) -> None:
        """There is nothing to close."""

    def _process_events(self, event_list: object) -> None:
        raise NotImplementedError

    def _write_to_self(self) -> None:
        """No other thread ever wakes this loop."""

    def _run_once(self) -> None:
        """Run callbacks until the loop is stopped; called again and again by `run_forever`, it returns once."""
        ready, scheduled = self._ready, self._scheduled
        while not self._stopping:  # type: ignore[attr-defined]
            if not ready:
                self._jump(scheduled)
            while scheduled and scheduled[0]._when <= self._now_s:
                timer = heapq.heappop(scheduled)
                timer._scheduled = False
                ready.append(timer)
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                context = handle._context
                life = context.get(LIFE)
                if life is not None and (life.dead or life.frozen_until_s > self._now_s):
                    self._hold_back(handle, life)
                    continue
                self.steps += 1
                # Without Handle._run and its traps: an error here is an error of the run.
                context.run(handle._callback, *handle._args)

    def _jump(self, scheduled: list[Any]) -> None:
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not scheduled:
            raise Stuck
        self._now_s = max(self._now_s, scheduled[0]._when)

    def _hold_back(self, handle: Any, life: Life) -> None:
        if not life.dead:
            self.call_at(life.frozen_until_s, self._ready.append, handle)


def run(main: Callable[[VirtualLoop], Any]) -> Any:
    """Run a coroutine function to its end under a fresh virtual loop and return what it returned."""
    loop = VirtualLoop()
    loop.set_exception_handler(_raise)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.abandon()


def in_life(life: Life) -> Context:
    """A context in which everything scheduled belongs to this life."""
    context = copy_context()
    context.run(LIFE.set, life)
    return context


def _raise(_loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
    error = details.get("exception")
    if error is not None:
        raise error
    raise RuntimeError(details["message"])
