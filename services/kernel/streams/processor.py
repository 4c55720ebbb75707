"""What a service gives the consumer group: something that takes deliveries and acknowledges each one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Record

Handler = Callable[[Record], Awaitable[None]]


class Delivery(Protocol):
    """One record in a processor's hands until `acknowledge` or `fail` is called."""

    record: Record

    @property
    def alone(self) -> bool:
        """Whether the shard is read with care, so that nothing else of it comes before this is done, or `survived`."""
        ...

    def survived(self) -> None:
        """Say that handling the record ended no process, though its effect is not durable yet: the next may come.

        For who writes in batches: a batch need not become durable for each record that is read with care.
        """

    def acknowledge(self) -> None:
        """Say that the record's effect is durable. Calling it again changes nothing."""

    async def reject(self, error: InvalidRecord) -> None:
        """Put the record into `rejected` and acknowledge it; returns once it is durable there."""

    def waiting(self, error: Retryable) -> None:
        """Say that the record waits for its sink, so that nobody blames it for what happens meanwhile."""

    def fail(self, error: BaseException) -> None:
        """Say that handling it failed in a way nobody foresaw: the process ends."""


class Processor(Protocol):
    """Handles the deliveries of one shard."""

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        """Take on deliveries in stream order; may return before they are acknowledged."""

    async def drain(self) -> None:
        """Return once everything taken on is acknowledged."""

    def cancel(self) -> None:
        """Stop at once: the lease is lost, another worker handles the records."""


ProcessorFactory = Callable[[str], Processor]
"""Makes the processor of one shard, given the shard's id."""


def per_record(handle: Handler, concurrency: int = 32, retry: Retry | None = None) -> ProcessorFactory:
    """Handle records one by one: in order within a partition key, different keys at the same time.

    `handle` returns when the record's effect is durable. InvalidRecord sends the record to `rejected`; Retryable
    is tried again for as long as it takes; any other exception ends the process.

    Args:
        concurrency: records at work at once, over all shards.
    """
    line = _Line(concurrency)
    policy = retry or Retry()

    def make(_shard_id: str) -> Processor:
        return _PerRecord(handle, line, policy)

    return make


class _Line:
    """The slots that all shards share, and who waits for one: first come, first served."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: deque[tuple[_PerRecord, Delivery]] = deque()

    def enter(self, shard: _PerRecord, delivery: Delivery) -> None:
        """Begin a delivery as soon as there is a slot."""
        if self._free:
            self._free -= 1
            shard.begin(delivery)
        else:
            self._waiting.append((shard, delivery))

    def leave(self) -> None:
        """Give a slot to who has waited longest."""
        if self._waiting:
            shard, delivery = self._waiting.popleft()
            shard.begin(delivery)
        else:
            self._free += 1

    def forget(self, shard: _PerRecord) -> None:
        """Drop what waits for a shard."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not shard)


class _PerRecord:
    """One shard's records. A record that waits costs a place in a queue, and a task only once it is at work."""

    def __init__(self, handle: Handler, line: _Line, retry: Retry) -> None:
        self._handle = handle
        self._line = line
        self._retry = retry
        # By key of a record that waits or is at work: those behind it, None while there was none yet, as for most keys.
        self._behind: dict[str, deque[Delivery] | None] = {}
        self._tasks: set[asyncio.Task[bool]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            key = delivery.record.partition_key
            if key not in self._behind:
                self._behind[key] = None
                self._idle.clear()
                self._line.enter(self, delivery)
                continue
            behind = self._behind[key]
            if behind is None:
                behind = self._behind[key] = deque()
            behind.append(delivery)

    async def drain(self) -> None:
        await self._idle.wait()

    def cancel(self) -> None:
        self._line.forget(self)
        self._behind.clear()
        for task in self._tasks:
            task.cancel()
        self._look_idle()

    def begin(self, delivery: Delivery) -> None:
        """Handle a delivery in the slot that it was given."""
        task = asyncio.create_task(self._one(delivery))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, delivery.record.partition_key))

    def _ended(self, key: str, task: asyncio.Task[bool]) -> None:
        # Not at the end of the task itself: one that is cancelled before its first step never comes there.
        self._tasks.discard(task)
        self._line.leave()
        behind = self._behind.get(key)
        if behind and not task.cancelled() and task.result():
            self._line.enter(self, behind.popleft())
        else:
            self._behind.pop(key, None)
        self._look_idle()

    def _look_idle(self) -> None:
        if not self._behind and not self._tasks:
            self._idle.set()

    async def _one(self, delivery: Delivery) -> bool:
        """Whether the next record of the key may follow."""
        try:
            try:
                await self._retry.call(
                    lambda: self._handle(delivery.record),
                    lambda error, _attempt, _delay: delivery.waiting(error),
                )
            except InvalidRecord as error:
                await delivery.reject(error)
            else:
                delivery.acknowledge()
        except Exception as error:  # noqa: BLE001 - a bug: counted against the record, then the process ends
            delivery.fail(error)
            return False
        return True
