"""One worker of the group in a simulation: the product's own code around simulated clients."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any, cast

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import InvalidRecord, TimedOut, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.assignment import owner_id
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.processor import per_record
from services.kernel.streams.records import Record
from services.kernel.streams.rejected import RejectedSink
from tests.simulation.client import SimClient, SimLeaseTable, Trouble
from tests.simulation.stream import BAD
from tests.simulation.virtual_loop import Life, in_life
from tests.simulation.world import World

SETTINGS = GroupSettings(
    lease_time_s=4.0,
    poll_interval_s=0.5,
    checkpoint_interval_s=0.9,
    shard_sync_interval_s=5.0,
    drain_timeout_s=3.0,
    max_open_bytes=32 * 1024 * 1024,
)
SLOW_SHARE = 0.5
LONGEST_EFFECT_S = 0.1


class Gauge:
    """Stands in for a metric of any kind; remembers the last value set."""

    value = 0.0

    def labels(self, *_values: str, **_named: str) -> Gauge:
        return self

    def inc(self, _amount: float = 1) -> None:
        return

    def set(self, value: float) -> None:
        self.value = value


class SimMetrics:
    """Metrics without a registry, which would cost more than the rest of a schedule."""

    def __init__(self) -> None:
        self.lag = Gauge()
        self.records_lost_possible = Gauge()
        self._other = Gauge()

    def __getattr__(self, _name: str) -> Gauge:
        return self._other


class SimRejects:
    """Takes dead letters; durable at once."""

    def __init__(self, world: World, by: str) -> None:
        self._world = world
        self._by = by

    async def put(
        self, *_arguments: Any, shard_id: str, sequence_number: int, sub_sequence: int, **_named: Any
    ) -> str:
        self._world.judge.rejected(shard_id, sequence_number + sub_sequence, self._by)
        return str(sequence_number)


class Worker:
    """A process of the application: starts, is frozen, killed, drained; each life is a new one."""

    def __init__(self, world: World, number: int, rng: random.Random, share: float = 1.0) -> None:
        self.world = world
        self.number = number
        self.settings = replace(SETTINGS, variant="canary", lease_share=share) if share < 1 else SETTINGS
        self.trouble = Trouble()
        self.sink_away_until_s = 0.0
        self._rng = rng
        self._lives = 0
        self.start()

    def start(self) -> None:
        """Begin a new life under a new id."""
        self._lives += 1
        self.life = Life()
        self.stopping = asyncio.Event()
        self.ready_at_s: float | None = None
        self.metrics = SimMetrics()
        name = f"w{self.number}-{self._lives}"
        owner = owner_id(self.settings.variant, name)
        self.client = SimClient(self.world, self.trouble, self._rng, owner)
        self.group = ConsumerGroup(
            "sim",
            "sim",
            cast(Kinesis, self.client),
            SimLeaseTable(self.client),
            per_record(self._handle, concurrency=6, retry=Retry(rng=self._rng)),
            cast(RejectedSink, SimRejects(self.world, owner)),
            self.settings,
            cast(GroupMetrics, self.metrics),
            worker_id=name,
            rng=self._rng,
            wall_clock=lambda: self.world.loop.time() + self.world.wall_jump_s,
        )
        self.task = self.world.loop.create_task(
            self.group.run(self.stopping, self._on_ready), context=in_life(self.life)
        )

    def _on_ready(self) -> None:
        self.ready_at_s = self.world.loop.time()

    async def _handle(self, record: Record) -> None:
        # Some are done at once, others take their time, so that later ones of other keys overtake them.
        if self._rng.random() < SLOW_SHARE:
            await self.world.loop.after(self._rng.random() * LONGEST_EFFECT_S)
        if self.world.loop.time() < self.sink_away_until_s:
            raise Unavailable("the sink is away")
        if record.data == BAD:
            raise InvalidRecord("contract_violation", "some are bad")
        self.world.judge.effect(record, self.group.worker_id)
        if self.trouble.lose_answers and self._rng.random() < self.trouble.lose_answers:
            raise TimedOut("the sink's answer was lost")

    @property
    def ready(self) -> bool:
        """Whether its first look succeeded."""
        return self.ready_at_s is not None

    @property
    def alive(self) -> bool:
        """Whether its process runs, frozen or not."""
        return not self.life.dead and not self.task.done()

    def kill(self) -> None:
        """End it in mid-air."""
        self.life.dead = True

    def free_from_s(self, trouble_until_s: float) -> float:
        """Since when it has been running, awake and without a trouble that ended then, virtual seconds."""
        return max(self.life.frozen_until_s, self.ready_at_s or 0.0, trouble_until_s)

    @property
    def state(self) -> str:
        """What it is doing, in the words of the matrix."""
        consumers = self.group._consumers
        if self.stopping.is_set():
            return "draining"
        if not self.ready:
            return "starting"
        if not consumers:
            return "without a shard"
        if any(self.world.stream.shards[name].shard.closed for name in consumers):
            return "at a shard's end"
        if any(consumer._tracker.open_records for consumer in consumers.values()):
            return "handling"
        return "waiting for records"


STATES = ("starting", "without a shard", "waiting for records", "handling", "at a shard's end", "draining")
