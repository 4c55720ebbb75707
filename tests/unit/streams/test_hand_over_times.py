"""How long a shard waits when its worker leaves or dies, by the design alone: in virtual time, on a machine that is
never busy, with engines that answer at once. `make bench-consumer` measures the same on real ones.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.kernel.adapters.dynamodb import Key
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.records import Record
from services.kernel.streams.rejected import RejectedSink
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis
from tests.simulation.virtual_loop import VirtualLoop, run

SETTINGS = GroupSettings(poll_interval_s=0.2)  # as `make up` sets it; the rest as it is by default
SHARDS = 4
BALANCED_S = 15.0
PUT_EVERY_S = 0.05


@dataclass
class Worker:
    """One worker; cancelling its task is the hard way to stop, after which it writes no more."""

    name: str
    stopping: asyncio.Event
    task: asyncio.Task[None]


@dataclass
class Stage:
    """Two workers, four shards, records all the time; who handled the newest of each shard."""

    loop: VirtualLoop
    rng: random.Random
    kinesis: MemoryKinesis
    dynamodb: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    reader: dict[str, str] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self) -> list[Worker]:
        """Start and wait until both hold half."""
        await self.kinesis.create_stream("s", SHARDS)
        await self.dynamodb.create_table("leases", Key("leaseKey"))
        self.tasks.append(asyncio.create_task(self._put()))
        workers = [self._start(name) for name in ("first", "second")]
        await asyncio.sleep(BALANCED_S + self.rng.uniform(0, 5))
        assert sorted(self.reader.values()) == ["first"] * 2 + ["second"] * 2
        return workers

    def _start(self, name: str) -> Worker:
        async def handle(record: Record) -> None:
            self.reader[record.shard_id] = name

        group = ConsumerGroup(
            "a",
            "s",
            self.kinesis,
            LeaseTable(self.dynamodb, "leases"),
            per_record(handle),
            cast(RejectedSink, None),
            SETTINGS,
            GroupMetrics(),
            worker_id=name,
            rng=self.rng,
            wall_clock=self.loop.time,
        )
        stopping = asyncio.Event()
        task = asyncio.create_task(group.run(stopping))
        self.tasks.append(task)
        return Worker(name, stopping, task)

    async def _put(self) -> None:
        number = 0
        while True:
            batch = [(b"x", f"key-{number + n}") for n in range(16)]
            number += 16
            await self.kinesis.put_records("s", batch)
            await asyncio.sleep(PUT_EVERY_S)

    async def taken_over_s(self, by: Worker) -> float:
        """Seconds from now until one worker reads every shard."""
        began_s = self.loop.time()
        while set(self.reader.values()) != {by.name}:
            await asyncio.sleep(0.01)
        return self.loop.time() - began_s


def measured(seed: int, kill: bool) -> float:
    async def main(loop: VirtualLoop) -> float:
        stage = Stage(loop, random.Random(seed), MemoryKinesis(loop.time))
        leaving, staying = await stage.begin()
        if kill:
            leaving.task.cancel()
        else:
            leaving.stopping.set()
        took_s = await stage.taken_over_s(staying)
        for task in stage.tasks:
            task.cancel()
        await asyncio.gather(*stage.tasks, return_exceptions=True)
        return took_s

    found: Any = run(main)
    return float(found)


@pytest.mark.parametrize("seed", range(4))
def test_a_hand_off_takes_a_look(seed: int) -> None:
    assert measured(seed, kill=False) <= 0.6


@pytest.mark.parametrize("seed", range(4))
def test_a_take_over_takes_the_lease_time_and_a_look(seed: int) -> None:
    assert measured(seed, kill=True) <= SETTINGS.lease_time_s + 0.6
