"""One worker reading one shard: fetch, hand out, checkpoint, keep the lease; until told to stop or the shard ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import logs
from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams import deaths
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.delivery import Tracked
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.held_lease import HeldLease
from services.kernel.streams.intake import Intake
from services.kernel.streams.lease import SHARD_END, Lease
from services.kernel.streams.lease_table import LeaseLost
from services.kernel.streams.processor import Processor
from services.kernel.streams.records import Record
from services.kernel.streams.reject_rate import RejectRate
from services.kernel.streams.rejected import RejectedSink
from services.kernel.streams.shard_reader import ShardReader

RENEWALS_PER_LEASE_TIME = 3

log = logs.get("streams")


class Outcome(Enum):
    """Why a worker no longer reads a shard."""

    ENDED = "ended"
    RELEASED = "released"
    LOST = "lost"
    REWOUND = "rewound"
    GONE = "gone"


class HandlerFailed(Exception):
    """A record's handler raised what nobody foresaw; `__cause__` says what. The process has to end."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all shards of a worker share.

    Args:
        care: held while a record is at work alone, so that a death has one record to blame and not one a shard.
    """

    stream: str
    kinesis: Kinesis
    rejects: RejectedSink
    budget: ByteBudget
    settings: GroupSettings
    metrics: GroupMetrics
    retry: Retry
    clock: Callable[[], float]
    care: asyncio.Lock


class ShardConsumer:
    """Reads one shard while its lease is held."""

    def __init__(self, shared: Surroundings, held: HeldLease, processor: Processor) -> None:
        self.shard_id = held.lease.shard_id
        self.paused = held.lease.paused
        self._shared = shared
        self._held = held
        self._processor = processor
        self._tracker = CheckpointTracker(held.lease.place)
        self._rate = RejectRate()
        self._careful = deaths.needs_care(held.lease)
        self._cared = False
        self._reader = ShardReader(
            shared.kinesis, shared.stream, held.lease, shared.retry, shared.metrics, shared.clock
        )
        self._intake = Intake(self._reader, self._tracker, shared.budget, shared.metrics)
        self._children: tuple[str, ...] = ()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed_record: Record | None = None
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False
        self._stopping = asyncio.Event()
        self._rewinding = asyncio.Event()
        self._rewind_to: str | None = None

    def stop(self) -> None:
        """Ask for a drain and the lease's release; `run` returns once both are done."""
        self._stopping.set()

    async def run(self) -> Outcome:
        """Read until it is stopped or rewound, the shard ends or the lease is lost.

        Raises:
            HandlerFailed: a handler failed unforeseen; the record is marked in the lease and the lease is free.
        """
        keeper = asyncio.create_task(self._keep())
        reader = asyncio.create_task(self._read_until(self._stopping))
        rewinding = asyncio.create_task(self._rewinding.wait())
        try:
            first: set[asyncio.Future[Any]] = {keeper, reader, rewinding, self._failed, self._taken}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            return await self._conclude(keeper, reader)
        finally:
            self._processor.cancel()
            await _cancelled(keeper, reader, rewinding, *self._background)
            self._failed.cancel()
            self._taken.cancel()
            self._closed = True
            self._intake.give_back()

    async def _conclude(self, keeper: asyncio.Task[None], reader: asyncio.Task[Outcome]) -> Outcome:
        if self._failed.done():
            await self._blame()
            raise HandlerFailed(self.shard_id) from self._failed.exception()
        if self._taken.done():
            return self._lost(LeaseLost("the table says that another worker took it"))
        if keeper.done():
            return self._lost(keeper.exception())
        if reader.done() and isinstance(reader.exception(), LeaseLost):
            return self._lost(reader.exception())
        if self._rewinding.is_set():
            return await self._rewind(keeper, reader)
        outcome = reader.result()
        await _cancelled(keeper)
        if outcome is Outcome.GONE:
            return outcome
        try:
            await self._write(lambda lease: self._final(lease, outcome))
        except LeaseLost:
            return Outcome.LOST
        return outcome

    async def _rewind(self, keeper: asyncio.Task[None], reader: asyncio.Task[Outcome]) -> Outcome:
        """Stop all work, then answer the operator: nothing that was at work is checkpointed any more."""
        self._closed = True
        self._processor.cancel()
        await _cancelled(keeper, reader)
        try:
            await self._shared.retry.call(lambda: self._held.rewind(self._rewind_to))
        except LeaseLost:
            return Outcome.LOST
        return Outcome.REWOUND

    def _final(self, lease: Lease, outcome: Outcome) -> Lease:
        if outcome is Outcome.ENDED:
            lease = replace(deaths.advanced(lease, SHARD_END, 0), children=self._children)
        else:
            lease = self._with_checkpoint(lease)
        return replace(lease, owner=None)

    def _lost(self, error: BaseException | None) -> Outcome:
        if not isinstance(error, LeaseLost):
            raise error or RuntimeError("a lease's keeper ended by itself")
        log.warning("lease_lost", shard_id=self.shard_id, reason=str(error))
        return Outcome.LOST

    async def _blame(self) -> None:
        """Mark the record that failed; without an answer the next owner counts a death instead."""
        record = self._failed_record
        if record is None:
            return

        def change(lease: Lease) -> Lease:
            marked = deaths.blamed(self._with_checkpoint(lease), record.sequence_number, record.sub_sequence)
            return replace(marked, owner=None)

        try:
            await self._held.update(change)
        except (Retryable, LeaseLost) as error:
            log.warning("mark_not_written", error=error, shard_id=self.shard_id)

    async def _keep(self) -> None:
        settings = self._shared.settings
        renew_s = settings.lease_time_s / RENEWALS_PER_LEASE_TIME
        tick_s = min(settings.checkpoint_interval_s, renew_s)
        attempt = 0
        while True:
            await asyncio.sleep(tick_s if attempt == 0 else self._shared.retry.delay_s(attempt))
            moved = self._with_checkpoint(self._held.lease) != self._held.lease
            if not moved and attempt == 0 and self._held.unwritten_s < renew_s - tick_s:
                continue
            try:
                await self._held.update(self._with_checkpoint)
                attempt = 0
            except Retryable as error:
                attempt += 1
                log.warning("heartbeat_failed", error=error, shard_id=self.shard_id)
                continue
            if moved:
                self._shared.metrics.checkpoints.inc()

    def _with_checkpoint(self, lease: Lease) -> Lease:
        place = self._tracker.checkpoint
        return lease if place is None else deaths.advanced(lease, str(place[0]), place[1])

    async def _read_until(self, draining: asyncio.Event) -> Outcome:
        reading = asyncio.create_task(self._read())
        stop = asyncio.create_task(draining.wait())
        try:
            await asyncio.wait({reading, stop}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and reading.result() is Outcome.GONE:
                return Outcome.GONE
            ended = reading.done()
            await _cancelled(reading)
            return await self._drain(ended, stop)
        finally:
            await _cancelled(reading, stop)

    async def _drain(self, ended: bool, stop: asyncio.Task[Literal[True]]) -> Outcome:
        """Wait for what is at work; the end of a shard is waited for until a drain cuts it short."""
        drained = asyncio.create_task(self._processor.drain())
        try:
            if ended:
                await asyncio.wait({drained, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not drained.done():
                await asyncio.wait({drained}, timeout=self._shared.settings.drain_timeout_s)
            if not drained.done():
                log.warning("not_drained", shard_id=self.shard_id, open_records=self._tracker.open_records)
            all_done = drained.done() and self._tracker.open_records == 0
            return Outcome.ENDED if ended and all_done else Outcome.RELEASED
        finally:
            await _cancelled(drained)

    async def _read(self) -> Outcome:
        while True:
            if self.paused is not None:
                await asyncio.sleep(self._shared.settings.poll_interval_s)
                continue
            fetch = await self._intake.fetch(self._hand_out)
            if fetch is None:
                return Outcome.GONE
            self._careful = self._careful and not self._cared
            if fetch.next_iterator is None:
                self._children = tuple(sorted(fetch.child_shards))
                return Outcome.ENDED
            interval_s = self._shared.settings.poll_interval_s
            await asyncio.sleep(interval_s if fetch.millis_behind_latest == 0 else interval_s / 4)

    async def _hand_out(self, records: Sequence[Record], error: InvalidRecord | None) -> None:
        if error is not None:
            await Tracked(records[0], self).reject(error)
            return
        if self._careful:
            self._cared = True  # and so for all that was fetched together
            log.warning("reading_with_care", shard_id=self.shard_id, deaths=self._held.lease.deaths)
            for record in records:
                await self._hand_out_with_care(record)
            return
        lease = self._held.lease
        deliveries = []
        for record in records:
            delivery = Tracked(record, self)
            if lease.attempt_sequence is not None and deaths.is_poison(
                lease, record.sequence_number, record.sub_sequence
            ):
                await delivery.reject(_poison(lease))
            else:
                deliveries.append(delivery)
        await self._processor.process(deliveries)

    async def _hand_out_with_care(self, record: Record) -> None:
        delivery = Tracked(record, self)
        if deaths.is_poison(self._held.lease, record.sequence_number, record.sub_sequence):
            await delivery.reject(_poison(self._held.lease))
            return
        async with self._shared.care:
            await self._write(
                lambda lease: deaths.blamed(
                    self._with_checkpoint(lease), record.sequence_number, record.sub_sequence
                )
            )
            delivery.done = asyncio.get_running_loop().create_future()
            await self._processor.process([delivery])
            await delivery.done
            # Unmarked before the next one begins: a mark in the row means that its record was at work at a death.
            await self._write(lambda lease: deaths.cleared(self._with_checkpoint(lease)))

    async def _write(self, change: Callable[[Lease], Lease]) -> None:
        await self._shared.retry.call(lambda: self._held.update(change))

    def acknowledge(self, record: Record) -> None:
        """Count a record as done; called by its delivery."""
        if self._done_with(record):
            self._rate.add(False)

    async def reject(self, record: Record, error: InvalidRecord) -> None:
        """Put a record into `rejected` and count it as done; called by its delivery."""
        await self._shared.rejects.put(
            error.reason,
            error.message,
            record.data,
            details=error.details,
            stream=self._shared.stream,
            shard_id=self.shard_id,
            sequence_number=record.sequence_number,
            sub_sequence=record.sub_sequence,
        )
        if self._done_with(record):
            self._shared.metrics.records_rejected.labels(error.reason).inc()
            self._rate.add(True)
            if self._rate.too_high and self.paused is None:
                self._pause()

    def _done_with(self, record: Record) -> bool:
        """Whether this was the record's first acknowledgement, and the lease was still ours."""
        if self._closed or not self._intake.acknowledge(record):
            return False
        self._shared.metrics.records_handled.inc()
        return True

    def fail(self, record: Record, error: BaseException) -> None:
        """End the process because of a record; called by its delivery."""
        if not self._failed.done():
            self._failed_record = record
            self._failed.set_exception(error)

    def waiting(self, error: Retryable, marked: bool) -> None:
        """Note that a record waits for its sink; called by its delivery."""
        self._shared.metrics.records_retried.labels(type(error).__name__).inc()
        if marked and self._held.lease.attempt_sequence is not None:
            self._spawn(self._clear_mark())

    async def _clear_mark(self) -> None:
        try:
            await self._write(deaths.cleared)
        except LeaseLost:
            return

    def _pause(self) -> None:
        self.paused = "over 20 % of the last 1,000 records were rejected"
        log.error("shard_paused", shard_id=self.shard_id, reason=self.paused)
        self._spawn(self._write_pause(self.paused))

    async def _write_pause(self, reason: str) -> None:
        try:
            await self._shared.retry.call(lambda: self._held.pause(reason))
        except LeaseLost:
            return

    def seen_in_table(self, lease: Lease) -> None:
        """Take note of what others changed: a theft, a pause or its end, a rewind, a lease to hand back."""
        if lease.owner == self._held.lease.owner:
            if lease.release_asked_of == lease.owner:
                self.stop()
            self._rewind_to = lease.rewind_to
            if lease.rewind_to is not None:
                self._rewinding.set()
        elif lease.counter > self._held.lease.counter and not self._taken.done():
            self._taken.set_result(None)  # the next heartbeat would say so too; until then records come twice
        pausing = bool(self._background)
        if self.paused is not None and lease.paused is None and not pausing:
            log.info("shard_resumed", shard_id=self.shard_id)
            self._rate.reset()
        if not pausing:
            self.paused = lease.paused

    @property
    def knows_its_lag(self) -> bool:
        """Whether the shard was read at least once, so that `lag_ms` means something."""
        return self._reader.fetched

    def lag_ms(self, now_ms: int) -> int:
        """How far the shard's effects are behind its tip, in milliseconds; never less than it is."""
        usual_s = self._shared.settings.poll_interval_s
        return max(self._reader.behind_ms(usual_s), self.oldest_open_ms(now_ms))

    def oldest_open_ms(self, now_ms: int) -> int:
        """Age of the oldest record that is fetched and not acknowledged, in milliseconds."""
        oldest = self._tracker.oldest_open
        return 0 if oldest is None else max(0, now_ms - oldest.arrived_at_ms)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _poison(lease: Lease) -> InvalidRecord:
    return InvalidRecord("poison", f"the process ended {lease.attempts} times while this record was at work")


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
