"""`per_batch`: records handled many at a time, with the promises of `per_record`, except order within a key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from services.kernel.core import logs
from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.processor import Delivery, Processor, ProcessorFactory
from services.kernel.streams.records import Record

BatchOutcome = None | InvalidRecord | Retryable
"""What became of one record: its effect is durable, it can never be handled, it is to be handed again."""

BatchHandler = Callable[[Sequence[Record]], Awaitable[Sequence[BatchOutcome]]]

log = logs.get("streams")


def per_batch(
    handle: BatchHandler,
    *,
    max_records: int,
    max_bytes: int,
    linger_s: float,
    concurrency: int,
    retry: Retry | None = None,
) -> ProcessorFactory:
    """Handle records in batches that form across the shards of a worker; records of one key in any order.

    `handle` returns one outcome for each record, in the order given. What is to be handed again comes again after a
    pause, in a batch with others: while both kinds wait, a batch takes one tried before and one new in turn, so that
    neither starves. A Retryable that is raised counts for each record of the batch, and a batch of which nothing
    succeeded keeps its slot while it pauses, so that a sink that is away is not pressed. Anything else that is raised
    speaks of some record that is not known yet: the batch is handled again in halves, down to the one record, which is
    rejected if it was InvalidRecord and ends the process otherwise. Handling must therefore be idempotent.

    Args:
        max_records, max_bytes: bounds of a batch, at least 1; one record alone may be larger than `max_bytes`.
        linger_s: seconds that a record waits at most for others to fill its batch, if a slot is free.
        concurrency: batches at work at once, over all shards, at least 1.
        retry: gives the pauses; its budget does not matter, nothing is ever given up.
    """
    line = _Line(handle, max_records, max_bytes, linger_s, concurrency, retry or Retry())

    def make(_shard_id: str) -> Processor:
        return _PerBatch(line)

    return make


class _Entry:
    """One delivery on its way through the line; open until it is acknowledged, rejected, failed or its shard lost."""

    __slots__ = ("begin_s", "delivery", "shard", "tries")

    def __init__(self, shard: _PerBatch, delivery: Delivery, begin_s: float) -> None:
        self.shard = shard
        self.delivery = delivery
        self.begin_s = begin_s
        self.tries = 0

    @property
    def is_open(self) -> bool:
        return self in self.shard.open

    @property
    def size_bytes(self) -> int:
        return len(self.delivery.record.data)


class _Line:
    """Where the records of all shards wait, and the batches at work."""

    def __init__(
        self,
        handle: BatchHandler,
        max_records: int,
        max_bytes: int,
        linger_s: float,
        slots: int,
        retry: Retry,
    ) -> None:
        self._handle = handle
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._linger_s = linger_s
        self._free = slots
        self._retry = retry
        self._alone: deque[_Entry] = deque()
        self._again: deque[_Entry] = deque()
        self._new: deque[_Entry] = deque()
        self._new_bytes = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._at_work: dict[asyncio.Task[float], Sequence[_Entry]] = {}

    def enter(self, shard: _PerBatch, deliveries: Sequence[Delivery]) -> None:
        """Take records on."""
        begin_s = asyncio.get_running_loop().time() + self._linger_s
        for delivery in deliveries:
            entry = _Entry(shard, delivery, begin_s)
            shard.open.add(entry)
            if delivery.alone:
                self._alone.append(entry)
            else:
                self._new.append(entry)
                self._new_bytes += entry.size_bytes
        self._begin()

    def hurry(self) -> None:
        """Let nothing that waits now linger."""
        now_s = asyncio.get_running_loop().time()
        for entry in self._new:
            entry.begin_s = now_s
        self._begin()

    def forget(self, shard: _PerBatch) -> None:
        """Drop what waits for a shard and stop the batches that hold records of it; the others' are taken up again."""
        self._alone, self._again, self._new = (
            deque(entry for entry in queue if entry.shard is not shard)
            for queue in (self._alone, self._again, self._new)
        )
        self._new_bytes = sum(entry.size_bytes for entry in self._new)
        for task, entries in self._at_work.items():
            if any(entry.shard is shard for entry in entries):
                task.cancel()

    def _begin(self) -> None:
        """Start what may start, and set the alarm for what lingers."""
        while self._free and self._is_due():
            self._free -= 1
            entries = self._next()
            task = asyncio.create_task(self._work(entries))
            self._at_work[task] = entries
            task.add_done_callback(self._ended)
        if self._free and self._new and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_at(self._new[0].begin_s, self._wake)

    def _wake(self) -> None:
        # Perhaps early, for one that has gone in a full batch since: then it is set again.
        self._alarm = None
        self._begin()

    def _is_due(self) -> bool:
        if self._alone or self._again or not self._new:
            return bool(self._alone or self._again)
        if len(self._new) >= self._max_records or self._new_bytes >= self._max_bytes:
            return True
        return self._new[0].begin_s <= asyncio.get_running_loop().time()

    def _next(self) -> Sequence[_Entry]:
        if self._alone:
            return [self._alone.popleft()]
        batch: list[_Entry] = []
        room_bytes = self._max_bytes
        while len(batch) < self._max_records and (self._again or self._new):
            tried_before = bool(self._again) and (len(batch) % 2 == 0 or not self._new)
            queue = self._again if tried_before else self._new
            size_bytes = queue[0].size_bytes
            if batch and size_bytes > room_bytes:
                break
            room_bytes -= size_bytes
            if not tried_before:
                self._new_bytes -= size_bytes
            batch.append(queue.popleft())
        return batch

    async def _work(self, entries: Sequence[_Entry]) -> float:
        """Handle a batch; returns the seconds after which what is left of it may come again."""
        await self._hand(entries)
        left = [entry for entry in entries if entry.is_open]
        if not left:
            return 0.0
        tries = max(entry.tries for entry in left)
        if len(left) < len(entries):
            return self._retry.delay_s(tries - 1)
        await self._retry.pause(tries - 1)
        return 0.0

    async def _hand(self, entries: Sequence[_Entry]) -> None:
        pairs: list[tuple[_Entry, BatchOutcome | Exception]]
        try:
            outcomes = await self._handle([entry.delivery.record for entry in entries])
            pairs = list(zip(entries, outcomes, strict=True))
        except Retryable as error:
            pairs = [(entry, error) for entry in entries]
        except Exception as error:  # noqa: BLE001 - speaks of a record that is to be found
            if len(entries) > 1:
                log.warning("batch_failed", error=error, records=len(entries))
                middle = len(entries) // 2
                await self._hand(entries[:middle])
                await self._hand(entries[middle:])
                return
            pairs = [(entry, error) for entry in entries]
        await _settle(pairs)

    def _ended(self, task: asyncio.Task[float]) -> None:
        # Not at the end of the task itself: one that is cancelled before its first step never comes there.
        entries = self._at_work.pop(task)
        self._free += 1
        pause_s = 0.0 if task.cancelled() else task.result()
        if pause_s:
            asyncio.get_running_loop().call_later(pause_s, self._come_again, entries)
            self._begin()
        else:
            self._come_again(entries)

    def _come_again(self, entries: Iterable[_Entry]) -> None:
        for entry in entries:
            if entry.is_open:
                (self._alone if entry.delivery.alone else self._again).append(entry)
        self._begin()


async def _settle(pairs: Sequence[tuple[_Entry, BatchOutcome | Exception]]) -> None:
    """Tell each delivery what became of it; what is to be handed again stays open."""
    rejections = []
    for entry, outcome in pairs:
        if not entry.is_open:
            continue  # its shard was lost, and the handler would not be stopped
        if outcome is None:
            entry.shard.acknowledge(entry)
        elif isinstance(outcome, Retryable):
            entry.tries += 1
            entry.delivery.waiting(outcome)
        elif isinstance(outcome, InvalidRecord):
            rejections.append(entry.shard.reject(entry, outcome))
        else:
            entry.shard.fail(entry, outcome)
    await asyncio.gather(*rejections)


class _PerBatch:
    """One shard's records in the line."""

    def __init__(self, line: _Line) -> None:
        self.open: set[_Entry] = set()
        self._line = line
        self._idle = asyncio.Event()
        self._idle.set()

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            self._idle.clear()
            self._line.enter(self, deliveries)

    async def drain(self) -> None:
        self._line.hurry()
        await self._idle.wait()

    def cancel(self) -> None:
        self.open.clear()
        self._idle.set()
        self._line.forget(self)

    def acknowledge(self, entry: _Entry) -> None:
        """The record's effect is durable."""
        try:
            entry.delivery.acknowledge()
        except Exception as bug:  # noqa: BLE001 - counted against the record, then the process ends
            self.fail(entry, bug)
        else:
            self._close(entry)

    async def reject(self, entry: _Entry, error: InvalidRecord) -> None:
        """Keep the record as a dead letter; closed once it is durable there."""
        try:
            await entry.delivery.reject(error)
        except Exception as bug:  # noqa: BLE001 - counted against the record, then the process ends
            self.fail(entry, bug)
        else:
            self._close(entry)

    def fail(self, entry: _Entry, error: BaseException) -> None:
        """Its handling raised what nobody foresaw."""
        if entry.is_open:
            entry.delivery.fail(error)
            self._close(entry)

    def _close(self, entry: _Entry) -> None:
        self.open.discard(entry)
        if not self.open:
            self._idle.set()
