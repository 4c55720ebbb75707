"""What a service gives the consumer group: something that takes deliveries and acknowledges each one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Record

Handler = Callable[[Record], Awaitable[None]]


class Delivery(Protocol):
    """One record in a processor's hands until `acknowledge` or `fail` is called."""

    record: Record

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
    slots = asyncio.Semaphore(concurrency)
    policy = retry or Retry()

    def make(_shard_id: str) -> Processor:
        return _PerRecord(handle, slots, policy)

    return make


class _PerRecord:
    def __init__(self, handle: Handler, slots: asyncio.Semaphore, retry: Retry) -> None:
        self._handle = handle
        self._slots = slots
        self._retry = retry
        self._queues: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            key = delivery.record.partition_key
            queue = self._queues.get(key)
            if queue is not None:
                queue.append(delivery)
                continue
            self._queues[key] = deque((delivery,))
            task = asyncio.create_task(self._work(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _work(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                async with self._slots:
                    if not await self._one(queue.popleft()):
                        return
        finally:
            del self._queues[key]

    async def _one(self, delivery: Delivery) -> bool:
        """Whether the next record of the key may follow."""
        try:
            await self._retry.call(
                lambda: self._handle(delivery.record), lambda error, _attempt, _delay: delivery.waiting(error)
            )
        except InvalidRecord as error:
            await delivery.reject(error)
        except Exception as error:  # noqa: BLE001 - a bug: counted against the record, then the process ends
            delivery.fail(error)
            return False
        else:
            delivery.acknowledge()
        return True
