"""An event loop without a world: time jumps to the next timer, and a worker can be frozen or killed in mid-air.

What runs under it is the product's own asyncio code. Every callback carries the context it was scheduled in, and the
context says which worker it belongs to: the callbacks of a frozen worker wait, those of a dead one never run again.

It is small because it is most of what a schedule costs: no thread wakes it, nothing is read from a socket, and
debugging is off, so that none of what asyncio's own loop does for those is here.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, cast


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
_NOBODYS = Context()  # of what belongs to no worker


class Stuck(Exception):
    """Nothing is scheduled and the main task has not ended."""


class Call(list[Any]):
    """A callback that waits for its turn, what asyncio calls a handle: its context, itself, its arguments.

    A list because there are thousands in a schedule, and a list is made without running a line of Python.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """Never run it."""
        self[1] = None


class VirtualLoop:
    """Runs callbacks in a fixed order; the same program gives the same run.

    It has the methods that asyncio's tasks, futures, timeouts and locks call on a loop.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._timers_made = 0
        self._tasks_made = 0
        self.steps = 0

    # what the code under test calls, directly or through asyncio -------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Run a callback in this turn or the next."""
        call = Call((context or copy_context(), callback, args))
        self._ready.append(call)
        return call

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Run a callback at a virtual time."""
        call = Call((context or copy_context(), callback, args))
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, call))
        return call

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Run a callback after virtual seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> Any:
        """Run a coroutine in this life or the given one."""
        self._tasks_made += 1
        return _Task(coro, loop=self, name=name or "task", context=context, number=self._tasks_made)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always, for whoever can ask."""
        return True

    def is_closed(self) -> bool:
        """Never: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Stay silent about errors that nobody fetched: of a worker that was killed there are always some."""

    # what only a simulation calls --------------------------------------------------------

    def after(self, delay_s: float) -> asyncio.Future[None]:
        """A future that is done after virtual seconds; cheaper than `asyncio.sleep` and in nobody's life.

        Who awaits it wakes in a life of its own: frozen it wakes later, and dead never.
        """
        future: asyncio.Future[None] = asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))
        self._timers_made += 1
        call = Call((_NOBODYS, _finish, (future,)))
        heapq.heappush(self._timers, (self._now_s + delay_s, self._timers_made, call))
        return future

    def run_until_done(self, main: asyncio.Future[Any]) -> None:
        """Run callbacks until this future is done.

        Raises:
            Stuck: nothing is left that could ever make it so.
        """
        ready, timers, pop = self._ready, self._timers, heapq.heappop
        while not main.done():
            if not ready:
                self._jump()
            now_s = self._now_s
            while timers and timers[0][0] <= now_s:
                ready.append(pop(timers)[2])
            for _ in range(len(ready)):
                call = ready.popleft()
                context, callback, arguments = call
                if callback is None:
                    continue
                life = context.get(LIFE)
                if life is not None and (life.dead or life.frozen_until_s > now_s):
                    self._hold_back(call, life)
                    continue
                self.steps += 1
                context.run(callback, *arguments)

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2][1] is None:
            heapq.heappop(timers)
        if not timers:
            raise Stuck
        self._now_s = max(self._now_s, timers[0][0])

    def _hold_back(self, call: Call, life: Life) -> None:
        if not life.dead:
            self.call_at(life.frozen_until_s, self._ready.append, call, context=_NOBODYS)

    def abandon(self) -> None:
        """Let go of everything that is still scheduled; what dead workers left is collected in silence."""
        self._ready.clear()
        self._timers.clear()


class _Task(asyncio.Task[Any]):
    """A task that sets order by its number and not by its place in memory: runs repeat across processes."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, number: int, **arguments: Any) -> None:
        self._number = number  # first: asyncio keeps a set of all tasks
        super().__init__(coro, **arguments)

    def __hash__(self) -> int:
        return self._number


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine function to its end under a fresh virtual loop and return what it returned."""
    loop = VirtualLoop()
    _set_running_loop(cast(asyncio.AbstractEventLoop, loop))
    try:
        task = loop.create_task(main(loop), context=Context())
        loop.run_until_done(task)
        return task.result()
    finally:
        _set_running_loop(None)
        loop.abandon()


def in_life(life: Life) -> Context:
    """A context in which everything scheduled belongs to this life."""
    context = copy_context()
    context.run(LIFE.set, life)
    return context
