"""The producer: single puts go out in batches, and each put returns only once the stream has its record.

A record may be stored twice (an answer was lost, and the record was sent again), never lost after its put returned.
There is no order between puts that wait at the same time: who needs one awaits the first before the second.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from services.kernel.core import logs
from services.kernel.core.errors import CadabraError, InvalidRecord, Retryable, Throttled, TimedOut
from services.kernel.core.retry import Retry
from services.kernel.streams import producer_packs
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.producer_metrics import ProducerMetrics
from services.kernel.streams.producer_packs import Pack, Packs, Waiting
from services.kernel.streams.producer_queue import BatchQueue, Entry
from services.kernel.streams.records import Put, Stored

# Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
# 500 records a call; data and partition key of a record together at most 1 MiB; a partition key of 1 to 256 characters.
MAX_RECORDS = 500
MAX_RECORD_BYTES = 1024 * 1024
MAX_KEY_CHARACTERS = 256

OVERHEAD_BYTES = 1280
"""What a waiting record costs beside its data and key: entry, future, the put's task. Measured at 1.25 KB."""

_COMPACT_ABOVE = 1024

log = logs.get("producer")


class PutsRecords(Protocol):
    """What a producer needs of Kinesis."""

    async def put_records(self, stream: str, records: Sequence[tuple[bytes, str]]) -> list[Put]: ...


class Producer:
    """Puts records into one stream, batched by count, bytes and time, with failures sent again record by record.

    Args:
        kinesis: the client.
        stream: physical name.
        max_records: of one call, 1 to 500.
        max_bytes: of one call, data and keys.
        linger_s: how long the first record of a batch waits for others, seconds.
        max_pending_bytes: bound of what is taken and not settled, data, keys and overhead. The bodies of calls in
            flight come on top: about 3 times their records.
        in_flight: calls at the same time.
        put_timeout_s: after which a put gives up waiting, seconds from when it was taken.
        retry: gives the pauses; its budget is not used, `put_timeout_s` is the bound.
        aggregate: pack small records into aggregates, for readers that take them apart, as this project's consumer
            group and the Kinesis Client Library do. Then `linger_s` is how long an aggregate waits to be filled;
            0.1 is KPL's. Every producer of a stream must do the same, or a key's records go to two shards.
        aggregate_groups: a power of two up to 256, at least the shards that the stream will ever have: see
            `producer_packs`. Fewer fill better; another number sends a key to another shard.
        aggregate_bytes: an aggregate's bound, KPL's by default; a larger record goes in an aggregate of its own.
    """

    def __init__(
        self,
        kinesis: PutsRecords,
        stream: str,
        *,
        max_records: int = MAX_RECORDS,
        max_bytes: int = 5 * 1024 * 1024,
        linger_s: float = 0.01,
        max_pending_bytes: int = 32 * 1024 * 1024,
        in_flight: int = 8,
        put_timeout_s: float = 10.0,
        retry: Retry | None = None,
        metrics: ProducerMetrics | None = None,
        aggregate: bool = False,
        aggregate_groups: int = 64,
        aggregate_bytes: int = 50 * 1024,
        aggregate_records: int = 4_096,
    ) -> None:
        self.stream = stream
        self._kinesis = kinesis
        self._linger_s = linger_s
        self._in_flight_limit = in_flight
        self._put_timeout_s = put_timeout_s
        self._retry = retry or Retry(base_s=0.05, cap_s=1.0)
        self._metrics = metrics
        if metrics is not None:
            metrics.producer_pending_limit.set(max_pending_bytes)
        self._loop = asyncio.get_running_loop()
        self._pending = ByteBudget(max_pending_bytes)
        self._unsettled = 0
        self._packs = Packs(aggregate_groups if aggregate else 1, aggregate_records, aggregate_bytes)
        self._aggregate = aggregate
        self._queue = BatchQueue(min(max_records, MAX_RECORDS), max_bytes)
        self._due = False  # the batch at the head has lingered long enough
        self._linger: asyncio.TimerHandle | None = None
        self._by_deadline: deque[Entry] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pending_bytes(self) -> int:
        """What is taken and not settled: data, keys and overhead."""
        return self._pending.used_bytes

    async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> Stored:
        """Put one record and return once the stream has it.

        Cancelling it takes the record back if it was not sent yet, nor packed with others; other puts are not touched.

        Args:
            partition_key: 1 to 256 characters.
            data: with the key at most 1 MiB.
            wait: wait for room in the pending bytes instead of raising Throttled.

        Returns:
            Where the stream has it.

        Raises:
            InvalidRecord: `too_large`; nothing was taken.
            Throttled: the pending bytes are at their bound; nothing was taken.
            TimedOut: the outcome is unknown; putting it again may store it twice.
            MissingResource, Misconfigured, Refused: the call can never succeed.
            ValueError: the partition key is empty or too long.
        """
        size = _size_bytes(partition_key, data, producer_packs.OVERHEAD_BYTES if self._aggregate else 0)
        if self._pending.try_reserve(size + OVERHEAD_BYTES):
            self._unsettled += 1
        elif wait:
            await self._wait_for_room(size + OVERHEAD_BYTES)
        else:
            if self._metrics is not None:
                self._metrics.producer_refused.inc()
            raise Throttled(f"{self.stream}: {self.pending_bytes} bytes wait already")
        if self._aggregate:
            return await self._put_packed(partition_key, data, size + OVERHEAD_BYTES)
        entry = self._take(partition_key, data, size)
        try:
            return await entry.future
        except asyncio.CancelledError:
            if entry.future.done() and not entry.future.cancelled():
                entry.future.exception()  # settled in the same turn: what it says is nobody's any more
            self._settle(entry)
            raise

    async def drain(self) -> None:
        """Send what waits, at once, and return when every put is settled.

        Takes at most the put timeout and one call.
        """
        while self._unsettled or self._calls:
            self._seal_all()
            self._due = True
            self._dispatch()
            self._idle.clear()
            await self._idle.wait()

    async def _wait_for_room(self, held: int) -> None:
        self._unsettled += 1
        try:
            await self._pending.reserve(held)
        except asyncio.CancelledError:
            self._unsettled -= 1
            self._note_idle()
            raise

    async def _put_packed(self, key: str, data: bytes, held: int) -> Stored:
        packs = self._packs
        group = packs.group_of(key)
        pack = packs.find(group)
        if pack is not None and not packs.fits(pack, key, data):
            self._seal(pack)
            pack = None
        if pack is None:
            pack = packs.begin(group, self._entry(packs.key_of(group), b"", 0, held))
        else:
            self._unsettled -= 1  # settled with the entry of its aggregate
            pack.entry.held += held
        one = Waiting(key, data, held, self._loop.create_future())
        if packs.add(pack, one):
            self._seal(pack)
        elif self._linger is None:
            self._linger = self._loop.call_later(self._linger_s, self._on_linger)
        try:
            return await one.future
        except asyncio.CancelledError:
            self._take_back(pack, one)
            raise

    def _take_back(self, pack: Pack, one: Waiting) -> None:
        if pack.sealed or pack.entry.held == 0:
            return
        pack.waiting.remove(one)
        if pack.waiting:
            pack.entry.held -= one.held
            self._pending.release(one.held)
        else:
            self._packs.close(pack)
            pack.entry.future.cancel()
            self._settle(pack.entry)

    def _seal(self, pack: Pack) -> None:
        """Queue an aggregate."""
        self._packs.close(pack)
        pack.seal()
        self._enqueue(pack.entry)

    def _seal_all(self) -> None:
        for pack in self._packs.close_all():
            self._seal(pack)

    def _take(self, key: str, data: bytes, size: int) -> Entry:
        entry = self._entry(key, data, size, size + OVERHEAD_BYTES)
        self._enqueue(entry)
        return entry

    def _entry(self, key: str, data: bytes, size: int, held: int) -> Entry:
        deadline = self._loop.time() + self._put_timeout_s
        entry = Entry(key, data, size, held, deadline, self._loop.create_future())
        self._by_deadline.append(entry)
        if self._sweep is None:
            self._sweep = self._loop.call_at(deadline, self._on_deadline)
        return entry

    def _enqueue(self, entry: Entry) -> None:
        self._queue.add(entry)
        if self._due or self._queue.full:
            self._dispatch()
        elif self._linger is None:
            self._linger = self._loop.call_later(self._linger_s, self._on_linger)

    def _on_linger(self) -> None:
        self._linger = None
        self._seal_all()
        self._due = True
        self._dispatch()

    def _dispatch(self) -> None:
        """Start calls while there is a batch that is full or due, and a free slot."""
        queue = self._queue
        while len(self._calls) < self._in_flight_limit and queue.records and (self._due or queue.full):
            batch = queue.next_batch()
            for entry in batch:
                entry.in_flight = True
            call = self._loop.create_task(self._send(batch))
            self._calls.add(call)
            call.add_done_callback(self._on_sent)
        if not self._queue.records:
            self._due = False
            if self._linger is not None and not self._packs:
                self._linger.cancel()
                self._linger = None

    async def _send(self, batch: list[Entry]) -> None:
        started = time.perf_counter()
        try:
            outcomes = await self._kinesis.put_records(self.stream, [(one.data, one.key) for one in batch])
        except Retryable as error:
            self._send_again(batch, type(error).__name__)
        except BaseException as error:
            self._fail(batch, error)  # whatever it was, every waiting put must hear of it
            if not isinstance(error, Exception):
                self._in_flight_limit = 0  # the loop is ending: start no further call
                raise
        else:
            self._read(batch, outcomes)
        if self._metrics is not None:
            self._metrics.producer_call.observe(time.perf_counter() - started)
            self._metrics.producer_batch.observe(len(batch))
            self._metrics.producer_pending.set(self.pending_bytes)

    def _on_sent(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._queue.records:
            # What had to wait for a slot has lingered by being in the queue.
            self._due = True
            self._dispatch()
        self._note_idle()

    def _read(self, batch: list[Entry], outcomes: list[Put]) -> None:
        failed: list[Entry] = []
        code = ""
        stored = 0
        for entry, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Stored):
                stored += entry.records
                entry.in_flight = False
                if not entry.future.done():
                    entry.future.set_result(outcome)
                self._settle(entry)
            else:
                failed.append(entry)
                code = outcome.code
        if self._metrics is not None:
            self._metrics.producer_records.inc(stored)
        if failed:
            self._send_again(failed, code)

    def _send_again(self, entries: list[Entry], code: str) -> None:
        """Queue what nobody has given up on again, after a pause."""
        waiting: list[Entry] = []
        for entry in entries:
            entry.in_flight = False
            if entry.future.done():
                self._settle(entry)
            else:
                entry.attempts += 1
                waiting.append(entry)
        if not waiting:
            return
        if self._metrics is not None:
            self._metrics.producer_retried.labels(code=code).inc(len(waiting))
        delay_s = self._retry.delay_s(max(entry.attempts for entry in waiting) - 1)
        log.debug("sending_again", stream=self.stream, code=code, records=len(waiting), delay_s=delay_s)
        self._loop.call_later(delay_s, self._queue_again, waiting)

    def _queue_again(self, entries: list[Entry]) -> None:
        for entry in entries:
            if not entry.future.done():
                self._queue.add(entry)
        if self._queue.records:
            self._due = True
            self._dispatch()

    def _fail(self, batch: list[Entry], error: BaseException) -> None:
        if not isinstance(error, CadabraError):
            log.error("call_failed", error=error, stream=self.stream, records=len(batch))
        for entry in batch:
            entry.in_flight = False
            if not entry.future.done():
                if isinstance(error, Exception):
                    entry.future.set_exception(error)
                else:
                    entry.future.cancel()
            self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Give back what a done entry holds, once, and not while a call still has its bytes."""
        if entry.held == 0 or entry.in_flight:
            return
        if entry.queued:
            self._queue.remove(entry)
        held, entry.held = entry.held, 0
        entry.data = b""
        self._unsettled -= 1
        self._pending.release(held)
        self._forget_settled()
        self._note_idle()

    def _forget_settled(self) -> None:
        """Keep what waits for its deadline in proportion to what is not settled, at a constant cost a record."""
        while self._by_deadline and self._by_deadline[0].held == 0:
            self._by_deadline.popleft()
        if len(self._by_deadline) > _COMPACT_ABOVE + 2 * self._unsettled:
            self._by_deadline = deque(entry for entry in self._by_deadline if entry.held)

    def _note_idle(self) -> None:
        if not self._unsettled and not self._calls:
            self._idle.set()

    def _on_deadline(self) -> None:
        self._sweep = None
        now = self._loop.time()
        while self._by_deadline and self._by_deadline[0].deadline <= now:
            entry = self._by_deadline.popleft()
            if not entry.future.done():
                if self._metrics is not None:
                    self._metrics.producer_timed_out.inc()
                entry.future.set_exception(
                    TimedOut(f"{self.stream}: no answer for a record in {self._put_timeout_s:g} s")
                )
            self._settle(entry)
        if self._by_deadline:
            self._sweep = self._loop.call_at(self._by_deadline[0].deadline, self._on_deadline)


def _size_bytes(partition_key: str, data: bytes, overhead: int) -> int:
    if not 1 <= len(partition_key) <= MAX_KEY_CHARACTERS:
        raise ValueError(f"a partition key has 1 to {MAX_KEY_CHARACTERS} characters")
    size = len(data) + len(partition_key.encode()) + overhead
    if size > MAX_RECORD_BYTES:
        raise InvalidRecord("too_large", f"the record has {size} bytes, a stream takes {MAX_RECORD_BYTES}")
    return size
