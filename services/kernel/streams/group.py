"""A worker of a Kinesis consumer group: finds shards, takes leases, reads each shard it holds, hands all back."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import logs
from services.kernel.core.errors import Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams import assignment, deaths, look_pace, shard_graph
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.held_lease import HeldLease
from services.kernel.streams.lag_probe import LagProbe
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.lease_watch import LeaseWatch
from services.kernel.streams.processor import ProcessorFactory
from services.kernel.streams.rejected import RejectedSink
from services.kernel.streams.rewind import rewound
from services.kernel.streams.shard_consumer import HandlerFailed, Outcome, ShardConsumer, Surroundings
from services.kernel.streams.shard_sync import ShardSync

PATIENCE_IN_LEASE_TIMES = 2

log = logs.get("streams")


class ConsumerGroup:
    """One worker of an application's consumer group.

    Every record of the stream is handled at least once, in order within a shard and its children, however workers
    come, go, stall or die. What a record's handling changes outside must therefore be idempotent.

    Args:
        application: the group's name; workers of one application share a lease table.
        stream: physical name.
        processor: makes what handles one shard's records, such as `per_record(handle)`.
        worker_id: unique for ever; made up when left out. Leases show it behind the variant, if it is not stable.
    """

    def __init__(
        self,
        application: str,
        stream: str,
        kinesis: Kinesis,
        leases: LeaseTable,
        processor: ProcessorFactory,
        rejects: RejectedSink,
        settings: GroupSettings,
        metrics: GroupMetrics,
        worker_id: str | None = None,
        rng: random.Random | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.worker_id = assignment.owner_id(settings.variant, worker_id or f"{application}-{uuid.uuid4()}")
        self._leases = leases
        self._processor = processor
        self._settings = settings
        self._metrics = metrics
        self._rng = rng or random.Random()
        # The loop's own clock: monotonic, and a simulation's loop brings another.
        self._clock = asyncio.get_running_loop().time
        self._wall_clock = wall_clock
        self._budget = ByteBudget(settings.max_open_bytes)
        self._watch = LeaseWatch(settings.lease_time_s)
        self._probe = LagProbe(kinesis, stream, self._clock, wall_clock)
        self._shared = Surroundings(
            stream=stream,
            kinesis=kinesis,
            rejects=rejects,
            budget=self._budget,
            settings=settings,
            metrics=metrics,
            retry=Retry(rng=self._rng),
            clock=self._clock,
            care=asyncio.Lock(),
        )
        self._consumers: dict[str, ShardConsumer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._takes_nothing_until_s = self._clock()
        self._stopping = False
        self._wake = asyncio.Event()
        self._shards = ShardSync(
            kinesis, stream, leases, metrics, settings.shard_sync_interval_s, self._clock, self._wake.set
        )
        self._crash: HandlerFailed | None = None
        self._lag_ms = 0
        self._lag_at_s = self._clock()
        metrics.open_bytes_limit.set(settings.max_open_bytes)

    async def run(self, stopping: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Consume until `stopping` is set, then drain, checkpoint and release.

        Args:
            on_ready: called once, after the first look at stream and table succeeded.

        Cancelling it is the hard way to stop: nothing is drained or released, and others take over after the
        lease time.

        Raises:
            HandlerFailed: a handler raised what nobody foresaw; the other shards were released.
            Fatal: stream or table do not exist, or the credentials are refused.
        """
        stop_watch = asyncio.create_task(self._wake_at(stopping))
        told = False
        try:
            while not stopping.is_set() and self._crash is None:
                self._wake.clear()
                began_s = self._clock()
                try:
                    await self._round()
                except Retryable as error:
                    log.warning("round_failed", error=error)
                else:
                    if not told:
                        told = True
                        on_ready()
                await self._pause(self._clock() - began_s)
            await self._drain()
        finally:
            # Cancelled, or failed: what is at work ends without a drain, as after a kill.
            stop_watch.cancel()
            self._shards.cancel()
            self._probe.cancel()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._crash is not None:
            raise self._crash

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._stop_reading()  # not after the round at work, which may wait for a slow table
        self._wake.set()

    async def _pause(self, took_s: float) -> None:
        every_s = look_pace.look_s(self._watch.leases, self._settings.lease_time_s)
        # Jitter keeps workers that started together from looking together.
        every_s *= self._rng.uniform(0.8, 1.0)
        pause_s = look_pace.pause_s(every_s, took_s, self._watch.to_expiry_s(self._clock()))
        try:
            await asyncio.wait_for(self._wake.wait(), pause_s)
        except TimeoutError:
            return

    def _stop_reading(self) -> None:
        self._stopping = True
        for consumer in self._consumers.values():
            consumer.stop()

    async def _drain(self) -> None:
        self._stop_reading()
        if self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._crash is not None:
            return  # a lease that could not be marked has to expire, so that the next owner counts a death
        try:
            await self._release_the_unread()
        except Retryable as error:
            log.warning("not_released", error=error)  # they expire

    async def _release_the_unread(self) -> None:
        """Hand back what the table says is ours though nobody reads it: the answer to a take was lost."""
        for lease in (await self._leases.read()).values():
            if lease.owner == self.worker_id:
                await self._leases.take(lease, replace(lease, owner=None))

    async def _round(self) -> None:
        leases = await self._leases.read()
        if await self._shards.keep_up(leases):
            leases = await self._leases.read()
        now_s = self._clock()
        self._watch.look(leases, now_s)
        for shard_id, consumer in self._consumers.items():
            if shard_id in leases:
                consumer.seen_in_table(leases[shard_id])
        leases = await self._answer_rewinds(leases)
        ready = {k: v for k, v in leases.items() if self._may_be_read(v, leases)}
        await self._adopt(ready)
        await self._take_share(ready, now_s)
        self._measure(leases, now_s)

    async def _take_share(self, ready: Mapping[str, Lease], now_s: float) -> None:
        if now_s < self._takes_nothing_until_s:
            return  # an operator wants the others to have what was handed back
        holdings = [self._watch.holding(lease, now_s) for lease in ready.values()]
        settings = self._settings
        if settings.lease_share < 1:
            for shard_id in assignment.surplus(self.worker_id, holdings, settings.lease_share):
                if shard_id in self._consumers:
                    self._consumers[shard_id].stop()
        patience_s = PATIENCE_IN_LEASE_TIMES * settings.lease_time_s
        chosen = assignment.choose(
            self.worker_id,
            holdings,
            settings.max_leases,
            settings.max_steals,
            patience_s,
            self._rng,
            settings.lease_share,
        )
        for shard_id in await self._still_ready(chosen, ready):
            await self._take(ready[shard_id], self._watch.is_free(ready[shard_id], now_s))

    async def _still_ready(self, chosen: list[str], ready: Mapping[str, Lease]) -> list[str]:
        """Look again at children that begin anew: a scan may see a rewound child beside an older parent."""
        if not any(shard_graph.waits_for_parents(ready[shard_id]) for shard_id in chosen):
            return chosen
        leases = await self._leases.read()
        return [s for s in chosen if s in leases and self._may_be_read(leases[s], leases)]

    async def _answer_rewinds(self, leases: Mapping[str, Lease]) -> dict[str, Lease]:
        """Rewind the free leases that an operator asked for; most are of shards that had ended."""
        answered = dict(leases)
        for lease in leases.values():
            if (
                lease.rewind_to is None
                or lease.owner is not None
                or lease.shard_id not in self._shards.listed
            ):
                continue
            lease_now = await self._leases.take(lease, rewound(lease))
            if lease_now is not None:
                answered[lease.shard_id] = lease_now
        return answered

    def _may_be_read(self, lease: Lease, leases: Mapping[str, Lease]) -> bool:
        return shard_graph.readiness(lease, leases, self._shards.listed).startable

    async def _adopt(self, ready: Mapping[str, Lease]) -> None:
        """Begin to read what the table says is ours already: the answer to a take was lost."""
        ours = [s for s, lease in ready.items() if lease.owner == self.worker_id and s not in self._tasks]
        for shard_id in await self._still_ready(ours, ready):
            await self._take(ready[shard_id], free=True)

    async def _take(self, seen: Lease, free: bool) -> None:
        if seen.shard_id in self._tasks or self._stopping:
            return
        change = deaths.taken_over if free else deaths.stolen
        held_since = HeldLease(self._leases, seen, self._settings.lease_time_s, self._clock)
        taken = change(seen, self.worker_id)
        if seen.rewind_to is not None:
            taken = rewound(taken)
        lease = await self._leases.take(seen, taken)
        if lease is None:
            return
        held_since.lease = lease
        how = "stolen" if not free else "free" if seen.owner is None else "expired"
        self._metrics.leases_taken.labels(how).inc()
        log.info("lease_taken", shard_id=lease.shard_id, how=how, checkpoint=lease.checkpoint)
        consumer = ShardConsumer(self._shared, held_since, self._processor(lease.shard_id))
        self._consumers[lease.shard_id] = consumer
        self._tasks[lease.shard_id] = asyncio.create_task(self._consume(consumer))

    async def _consume(self, consumer: ShardConsumer) -> None:
        try:
            outcome = await consumer.run()
        except HandlerFailed as error:
            self._crash = self._crash or error
            log.error("handler_failed", error=error.__cause__, shard_id=consumer.shard_id)
        except Exception as error:  # noqa: BLE001 - a bug of ours ends the process as a handler's would
            failure = HandlerFailed(consumer.shard_id)
            failure.__cause__ = error
            self._crash = self._crash or failure
            log.error("consumer_failed", error=error, shard_id=consumer.shard_id)
        else:
            self._note(consumer, outcome)
        finally:
            del self._tasks[consumer.shard_id]
            del self._consumers[consumer.shard_id]
            self._wake.set()

    def _note(self, consumer: ShardConsumer, outcome: Outcome) -> None:
        log.info("lease_given_up", shard_id=consumer.shard_id, outcome=outcome.value)
        if outcome is Outcome.RELEASED and not self._stopping:
            self._takes_nothing_until_s = (
                self._clock() + PATIENCE_IN_LEASE_TIMES * self._settings.lease_time_s
            )
        if outcome is Outcome.LOST:
            self._metrics.leases_lost.inc()
        if outcome in (Outcome.ENDED, Outcome.GONE):
            self._shards.hurry()

    def _measure(self, leases: Mapping[str, Lease], now_s: float) -> None:
        unread = [
            lease
            for shard_id, lease in leases.items()
            if not lease.ended and shard_id not in self._consumers and self._watch.is_unread(lease, now_s)
        ]
        unread_ms = self._probe.largest_lag_ms(unread)
        now_ms = int(self._wall_clock() * 1000)
        consumers = list(self._consumers.values())
        own_ms = max((consumer.lag_ms(now_ms) for consumer in consumers), default=0)
        oldest_ms = max((consumer.oldest_open_ms(now_ms) for consumer in consumers), default=0)
        lag_ms = max(own_ms, unread_ms)
        if not self._probe.knows_all or not all(consumer.knows_its_lag for consumer in consumers):
            # What was just taken, or left, may be as far behind as it was, and has been left alone since.
            lag_ms = max(lag_ms, self._lag_ms + int((now_s - self._lag_at_s) * 1000))
        self._lag_ms, self._lag_at_s = lag_ms, now_s
        self._metrics.lag.set(lag_ms / 1000)
        self._metrics.oldest_open.set(oldest_ms / 1000)
        self._metrics.open_bytes.set(self._budget.used_bytes)
        self._metrics.leases_held.set(len(consumers))
        self._metrics.shards_paused.set(sum(lease.paused is not None for lease in leases.values()))
