"""One file held by one worker: heartbeat and position are the same fenced write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.kernel.core.errors import Misconfigured, Retryable
from services.kernel.core.retry import Retry
from services.kernel.tail.positions import Entry, LeaseLost, PositionStore
from services.kernel.tail.prefix import Mark


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """How a file is held.

    Args:
        owner: unique to this process (two with one name would take each other's files for their own).
        lease_time_s: after so long without a write another worker may take the file.
        save_interval_s: a moved position is written at most this often, below half of the lease time.
        clock: monotonic seconds.
    """

    owner: str
    lease_time_s: float = 10.0
    save_interval_s: float = 1.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if self.save_interval_s * 2 > self.lease_time_s:
            raise Misconfigured("the save interval must be at most half of the lease time")


class FileLease:
    """The right to move the position of one file, as long as nobody else has it.

    Every write raises the counter and holds only if nobody wrote since. A lease that could not be written for
    the lease time counts as lost: somebody else may hold it by then.
    """

    def __init__(self, store: PositionStore, entry: Entry, policy: LeasePolicy, written_at: float) -> None:
        self._store = store
        self._policy = policy
        self._written = entry
        self._wanted = entry
        self._written_at = written_at
        self._ending = asyncio.Event()
        self._progress: Callable[[], Mark] | None = None

    @classmethod
    async def claim(
        cls, store: PositionStore, key: str, seen: Entry | None, policy: LeasePolicy
    ) -> FileLease:
        """Takes the file whose entry was just seen to be free.

        Raises:
            LeaseLost: another worker was faster; nothing was written.
            Retryable: the store does not answer; if the write went through the lease runs out by itself.
        """
        asked_at = policy.clock()
        before = seen or Entry(key)
        entry = replace(before, owner=policy.owner, counter=before.counter + 1)
        await store.swap(entry, None if seen is None else seen.counter)
        return cls(store, entry, policy, asked_at)

    @property
    def entry(self) -> Entry:
        """What was last written."""
        return self._written

    @property
    def position(self) -> Mark:
        """What the next write will carry."""
        return (self._progress or (lambda: self._wanted.position))()

    def follow(self, progress: Callable[[], Mark]) -> None:
        """Asks this function for the position from now on, until `move`."""
        self._progress = progress

    def move(self, position: Mark, state: str | None = None) -> None:
        """Says up to where everything is durable; the next write carries it."""
        self._progress = None
        self._wanted = replace(self._wanted, position=position, state=state or self._wanted.state)

    async def keep(self) -> None:
        """Writes a moved position, and a heartbeat every third of the lease time, until `release`.

        Raises:
            LeaseLost: stop at once.
        """
        while not self._ending.is_set():
            try:
                async with asyncio.timeout(self._policy.save_interval_s):
                    await self._ending.wait()
            except TimeoutError:
                if self._due():
                    await self._write(self._policy.owner)

    async def release(self) -> None:
        """Writes the last position and frees the file; `keep` returns.

        Raises:
            LeaseLost: another worker has it already; it begins at the last position that was written.
        """
        self._ending.set()
        await self._write(None)

    def stop_keeping(self) -> None:
        """Lets `keep` return, so that nothing is written beside `release`."""
        self._ending.set()

    def _due(self) -> bool:
        moved = (self.position, self._wanted.state) != (self._written.position, self._written.state)
        return moved or self._policy.clock() - self._written_at >= self._policy.lease_time_s / 3

    async def _write(self, owner: str | None) -> None:
        asked_at = self._policy.clock()
        left_s = self._written_at + self._policy.lease_time_s - asked_at
        counter = self._written.counter + 1
        entry = replace(self._wanted, position=self.position, owner=owner, counter=counter)
        retry = Retry(cap_s=1.0, budget_s=max(left_s, 0.0), clock=self._policy.clock)
        try:
            async with asyncio.timeout(max(left_s, 0.001)):
                await retry.call(lambda: self._store.swap(entry, self._written.counter))
        except (TimeoutError, Retryable) as error:
            raise LeaseLost(f"{entry.key}: not written for {self._policy.lease_time_s:g} s") from error
        self._written, self._written_at = entry, asked_at
