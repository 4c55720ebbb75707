"""One stream's records into landing objects: batched by shard, written side by side, acknowledged once durable.

Nothing here waits for more to be read: an open batch closes by its age at the latest, a closed one is tried until S3
has it. So the intake, which stops fetching while too much is open, always gets its room back once S3 answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.kernel.adapters.s3 import S3
from services.kernel.core import logs
from services.kernel.core.errors import CadabraError, InvalidRecord, Retryable, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.processor import Delivery, Processor
from services.lake_writer import columns
from services.lake_writer.batching import Batch, Bounds, Reason, to_relieve
from services.lake_writer.metrics import LandingMetrics
from services.lake_writer.object_key import object_key
from services.lake_writer.rows import Columns, Decoded, Format, NotConvertible

T = TypeVar("T")

log = logs.get("landing")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a landing's objects go: bucket and the beginning of every key."""

    bucket: str
    prefix: str


@dataclass(slots=True, eq=False)
class _Growing(Generic[T]):
    """A batch and the rows that it becomes; `with_care` while each record is tried out before the next comes."""

    batch: Batch[Delivery]
    rows: Columns[T]
    with_care: bool


class Landing(Generic[T]):
    """Makes the processor of each shard of one stream; all of them share its bounds.

    Args:
        max_open_bytes: of records in open batches, over all shards; past it the fullest are closed early.
        writes_at_once: objects that are encoded and put at the same time, over all shards; what is closed and has no
            turn yet waits with its records unacknowledged, which the intake's budget bounds.
        retry: of puts; it must never give up.
        wall_clock: seconds since the epoch, for metrics alone.
    """

    def __init__(
        self,
        s3: S3,
        place: Place,
        form: Format[T],
        bounds: Bounds,
        max_open_bytes: int,
        writes_at_once: int,
        metrics: LandingMetrics,
        retry: Retry | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.form = form
        self.bounds = bounds
        self._s3 = s3
        self._place = place
        self._max_open_bytes = max_open_bytes
        self._turns = asyncio.Semaphore(writes_at_once)
        self._metrics = metrics
        self._retry = retry or Retry()
        self._wall_clock = wall_clock
        self._shards: set[_ShardWriter[T]] = set()
        self._in_flight = 0
        metrics.open_batch_bytes_limit.set(max_open_bytes)
        metrics.writes_at_once.set(writes_at_once)

    def processor(self, _shard_id: str) -> Processor:
        """The processor of one shard; a ProcessorFactory. What an object is named by comes from its records."""
        return _ShardWriter(self)

    def opened(self, shard: _ShardWriter[T]) -> None:
        """Take note that a shard has an open batch."""
        self._shards.add(shard)

    def closed(self, shard: _ShardWriter[T]) -> None:
        """Take note that a shard has no open batch any more."""
        self._shards.discard(shard)
        self._show()

    def relieve(self) -> None:
        """Close the fullest batches until those left open keep their bound."""
        for shard in to_relieve(self._open_batches(), self._max_open_bytes):
            shard.close("pressure")
        self._show()

    def count_newer(self) -> None:
        """Count a record of a writer that is newer than the contract."""
        self._metrics.newer_records.inc()

    def _open_batches(self) -> dict[_ShardWriter[T], Batch[Delivery]]:
        return {shard: shard.open.batch for shard in self._shards if shard.open is not None}

    def _show(self) -> None:
        sizes_bytes = [batch.size_bytes for batch in self._open_batches().values()]
        self._metrics.open_batch_bytes.set(sum(sizes_bytes))
        self._metrics.open_batches.set(len(sizes_bytes))

    async def write(self, growing: _Growing[T], reason: Reason) -> None:
        """Make the object durable, for as many tries as it takes, then acknowledge its records."""
        batch = growing.batch
        self._count(1)
        try:
            async with self._turns:
                body = await asyncio.to_thread(lambda: columns.encode(growing.rows.table()))
                key = object_key(self._place.prefix, batch.first, batch.last)
                await self._retry.call(
                    lambda: self._put(key, body), lambda error, _attempt, _s: batch.items[0].waiting(error)
                )
        finally:
            self._count(-1)
        for delivery in batch.items:
            delivery.acknowledge()
        self._metrics.objects.labels(reason).inc()
        self._metrics.rows.inc(batch.rows)
        self._metrics.object_bytes.observe(len(body))
        self._metrics.object_rows.observe(batch.rows)
        self._metrics.stream_to_landing_s.observe(
            max(0.0, self._wall_clock() - batch.first.arrived_at_ms / 1000)
        )

    def _count(self, change: int) -> None:
        self._in_flight += change
        self._metrics.objects_in_flight.set(self._in_flight)

    async def _put(self, key: str, body: bytes) -> None:
        started_s = time.perf_counter()
        try:
            await self._s3.put(self._place.bucket, key, body)
        except Retryable:
            raise
        except CadabraError as error:
            # A bucket, a role or a key that is wrong is nobody's record's fault: they wait until somebody mends it.
            log.error("landing_refused", kind=type(error).__name__, reason=str(error))
            raise Unavailable(f"{self._place.bucket}: {type(error).__name__}") from error
        finally:
            self._metrics.put_s.observe(time.perf_counter() - started_s)


class _ShardWriter(Generic[T]):
    """One shard's batches: the open one, and those that are being written."""

    def __init__(self, landing: Landing[T]) -> None:
        self.open: _Growing[T] | None = None
        self._landing = landing
        self._writing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        # The good ones first and without a pause: a reader that is stopped in between leaves none of them behind.
        refused: list[tuple[Delivery, InvalidRecord]] = []
        for delivery in deliveries:
            try:
                self._take_on(delivery, self._landing.form.decode(delivery.record))
            except InvalidRecord as error:
                refused.append((delivery, error))
            except NotConvertible as error:
                self._blame(error)
            except Exception as error:  # noqa: BLE001 - a bug: counted against the record, then the process ends
                self._forget()
                delivery.fail(error)
        self._landing.relieve()
        for delivery, reason in refused:
            await delivery.reject(reason)

    async def drain(self) -> None:
        self.close("drain")
        while self._writing:
            await asyncio.wait(self._writing)

    def cancel(self) -> None:
        """An open batch is dropped; an object on its way may still land, which at least once allows."""
        self._forget()
        for task in self._writing:
            task.cancel()

    def close(self, reason: Reason) -> None:
        """Begin to write the open batch, if there is one."""
        growing = self.open
        self._forget()
        if growing is None:
            return
        task = asyncio.create_task(self._write(growing, reason))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def _take_on(self, delivery: Delivery, decoded: Decoded[T]) -> None:
        record, bounds = decoded.record, self._landing.bounds
        if self.open is not None:
            reason = self.open.batch.turns_away(record, decoded.rows, bounds)
            if self.open.with_care and not delivery.alone:
                reason = "care"  # so that a shard whose owners keep dying goes on, if only by these
            if reason is not None:
                self.close(reason)
        growing = self.open or self._begin(delivery)
        growing.batch.add(record, decoded.rows, delivery)
        growing.rows.add(decoded)
        if decoded.unknown is not None:
            self._landing.count_newer()
        if delivery.alone:
            self._try_out(decoded)
            delivery.survived()

    def _try_out(self, decoded: Decoded[T]) -> None:
        """Do with one record all that might end the process, short of putting it."""
        rows = Columns(self._landing.form)
        rows.add(decoded)
        columns.encode(rows.table())

    def _begin(self, delivery: Delivery) -> _Growing[T]:
        loop = asyncio.get_running_loop()
        batch: Batch[Delivery] = Batch(delivery.record, loop.time())
        self.open = _Growing(batch, Columns(self._landing.form), delivery.alone)
        self._timer = loop.call_at(batch.due_at_s(self._landing.bounds), self.close, "age")
        self._landing.opened(self)
        return self.open

    def _forget(self) -> None:
        self.open = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._landing.closed(self)

    async def _write(self, growing: _Growing[T], reason: Reason) -> None:
        try:
            await self._landing.write(growing, reason)
        except NotConvertible as error:
            _fail(growing.batch, error)
        except Exception as error:  # noqa: BLE001 - a bug ends the process; which record it was nobody knows
            growing.batch.items[0].fail(error)

    def _blame(self, error: NotConvertible) -> None:
        growing = self.open
        self._forget()  # it lacks rows now, and must not become an object before the process has ended
        if growing is not None:
            _fail(growing.batch, error)


def _fail(batch: Batch[Delivery], error: NotConvertible) -> None:
    """Name the record that could not be made into rows."""
    guilty = next((one for one in batch.items if one.record is error.record), batch.items[0])
    guilty.fail(error.__cause__ or error)
