"""Aggregates from a producer to a consumer group, in memory and on the real engines: nothing lost, resumed exactly."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.aggregation import MAGIC, Member, aggregate
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import Handler, per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record, Stored
from services.kernel.streams.rejected import RejectedSink
from services.kernel.streams.rejected_reader import read_all
from services.kernel.streams.shard_consumer import HandlerFailed
from tests.fault.waiting import until
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis

SETTINGS = GroupSettings(
    lease_time_s=1.5,
    poll_interval_s=0.05,
    checkpoint_interval_s=0.05,
    shard_sync_interval_s=0.5,
    drain_timeout_s=5.0,
)


@dataclass
class Stage:
    """One stream, its dead letters and the lease table of one application."""

    kinesis: Kinesis
    dynamodb: DynamoDB
    stream: str

    @property
    def rejected(self) -> str:
        return f"{self.stream}-rejected"

    @property
    def leases(self) -> LeaseTable:
        return LeaseTable(self.dynamodb, f"{self.stream}-leases")

    async def create(self) -> None:
        await self.kinesis.create_stream(self.stream, 2)
        await self.kinesis.create_stream(self.rejected, 1)
        await self.dynamodb.create_table(self.leases.table, Key("leaseKey"))
        await self.active()

    async def active(self) -> None:
        async def all_active() -> bool:
            return [await self.kinesis.stream_status(s) for s in (self.stream, self.rejected)] == [
                "ACTIVE"
            ] * 2

        await until(all_active, 30, "the streams are ACTIVE")

    async def put(self, *members: Member) -> Stored:
        """Put one aggregate under its first record's key."""
        [put] = await self.kinesis.put_records(self.stream, [(aggregate(members), members[0].partition_key)])
        assert isinstance(put, Stored)
        return put

    async def split(self, shard_id: str) -> None:
        """Split a shard, not in its middle: through a group of the producer's hash keys."""
        [shard] = [one for one in await self.kinesis.list_shards(self.stream) if one.shard_id == shard_id]
        cut = int(shard.starting_hash_key) + 2**128 // 64 * 7 + 12345
        await self.kinesis.split_shard(self.stream, shard_id, str(cut))
        await self.active()

    async def lease(self, shard_id: str) -> Lease:
        return (await self.leases.read())[shard_id]

    @asynccontextmanager
    async def worker(self, handle: Handler) -> AsyncIterator[asyncio.Task[None]]:
        """Run one worker of the group; leaving asks it to stop and waits for it."""
        stopping = asyncio.Event()
        producer = Producer(self.kinesis, self.rejected)
        rejects = RejectedSink(producer, "suite")
        group = ConsumerGroup(
            "suite",
            self.stream,
            self.kinesis,
            self.leases,
            per_record(handle, concurrency=8),
            rejects,
            SETTINGS,
            GroupMetrics(),
        )
        task = asyncio.create_task(group.run(stopping))
        try:
            yield task
        finally:
            stopping.set()
            await asyncio.gather(task, return_exceptions=True)
            await producer.drain()


@pytest.fixture(params=["memory", "local"])
async def stage(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[Stage]:
    """A fresh stream of two shards."""
    if request.param == "memory":
        stage = Stage(MemoryKinesis(), MemoryDynamoDB(), namespace)
        await stage.create()
        yield stage
        return
    async with (
        Kinesis.open(request.getfixturevalue("kinesis_endpoint"), "us-east-1") as kinesis,
        DynamoDB.open(request.getfixturevalue("dynamodb_endpoint"), "us-east-1") as dynamodb,
    ):
        stage = Stage(kinesis, dynamodb, namespace)
        await stage.create()
        yield stage
        await kinesis.delete_stream(stage.stream)
        await kinesis.delete_stream(stage.rejected)


class Seen:
    """A handler that notes what it was given, and stands still at one record if it is told to."""

    def __init__(self, stop_at: bytes | None = None) -> None:
        self.records: list[Record] = []
        self._stop_at = stop_at

    async def __call__(self, record: Record) -> None:
        if record.data == self._stop_at:
            await asyncio.Event().wait()
        self.records.append(record)

    @property
    def data(self) -> list[bytes]:
        return [one.data for one in self.records]

    async def count(self, wanted: int) -> None:
        async def enough() -> bool:
            return len(self.records) >= wanted

        await until(enough, 30, f"{wanted} records are handled")


def numbered(count: int, key: str = "k") -> list[Member]:
    return [Member(key, b"%d" % n) for n in range(count)]


async def test_what_is_packed_is_handled_once_and_in_order_of_its_key_across_a_split(stage: Stage) -> None:
    producer = Producer(stage.kinesis, stage.stream, linger_s=0.02, aggregate=True, aggregate_records=20)
    seen, sent = Seen(), defaultdict(list)

    async def send(first: int) -> None:
        values = [(f"key-{n % 23}", b"%d" % n) for n in range(first, first + 300)]
        for key, data in values:
            sent[key].append(data)
        await asyncio.gather(*(producer.put(key, data) for key, data in values))

    async with stage.worker(seen):
        await send(0)
        await stage.split((await stage.kinesis.list_shards(stage.stream))[0].shard_id)
        await send(300)
        await seen.count(600)
    found = defaultdict(list)
    for one in seen.records:
        found[one.partition_key].append(one.data)
    assert found == sent
    assert any(one.sub_sequence for one in seen.records)


async def test_a_crash_in_the_middle_of_an_aggregate_across_a_split_resumes_exactly(
    stage: Stage,
) -> None:
    put = await stage.put(*numbered(30))
    first = Seen(stop_at=b"17")

    async def in_the_middle() -> bool:
        lease = (await stage.leases.read()).get(put.shard_id)
        return lease is not None and lease.place == (put.sequence_number, 16)

    async with stage.worker(first) as task:
        await until(in_the_middle, 30, "the checkpoint is inside the aggregate")
        task.cancel()  # no drain, no release: as dead as a coroutine can be
        await asyncio.gather(task, return_exceptions=True)
    await stage.put(Member("k", b"30"))
    await stage.split(put.shard_id)
    await stage.put(Member("k", b"31"), Member("k", b"32"))
    second = Seen()
    async with stage.worker(second):
        await second.count(16)
    assert first.data + second.data == [b"%d" % n for n in range(33)]
    assert (await stage.lease(put.shard_id)).ended


@pytest.mark.parametrize("done", [0, 5, 9])
async def test_a_checkpoint_of_kcl_is_resumed_where_kcl_would(stage: Stage, done: int) -> None:
    """KCL writes the last record that is done; 0 is the first of an aggregate as well as a record of its own."""
    put = await stage.put(*numbered(10))
    for shard in await stage.kinesis.list_shards(stage.stream):
        lease = Lease(shard.shard_id)
        if shard.shard_id == put.shard_id:
            lease = replace(lease, checkpoint=str(put.sequence_number), sub_sequence=done)
        await stage.leases.create(lease)
    await stage.put(Member("k", b"next"))
    seen = Seen()
    async with stage.worker(seen):
        await seen.count(10 - done)
    assert seen.data == [b"%d" % n for n in range(done + 1, 10)] + [b"next"]


async def test_an_aggregate_that_is_done_has_the_checkpoint_that_kcl_writes(stage: Stage) -> None:
    put = await stage.put(*numbered(10))
    seen = Seen()
    async with stage.worker(seen):
        await seen.count(10)
    lease = await stage.lease(put.shard_id)
    assert (lease.place, lease.owner) == ((put.sequence_number, 9), None)
    again = Seen()
    async with stage.worker(again):
        await stage.put(Member("k", b"next"))
        await again.count(1)
    assert again.data == [b"next"]


async def test_a_broken_aggregate_is_kept_with_its_bytes_and_the_shard_goes_on(stage: Stage) -> None:
    message = b"\x0a\x01k" + b"\x1a\x04\x08\x05\x1a\x00"
    broken = MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()
    unsigned = MAGIC + message + bytes(16)
    seen = Seen()
    await stage.kinesis.put_records(stage.stream, [(b"before", "k"), (broken, "k"), (unsigned, "k")])
    await stage.put(*numbered(2))
    async with stage.worker(seen):
        await seen.count(4)
    assert seen.data == [b"before", unsigned, b"0", b"1"]
    [letter] = await read_all(stage.kinesis, stage.rejected)
    assert (letter["reason"], letter["data"]) == ("bad_aggregate", broken)


async def test_equal_records_of_one_aggregate_are_rejected_each_for_itself(stage: Stage) -> None:
    async def picky(record: Record) -> None:
        raise InvalidRecord("contract_violation", "none is good")

    put = await stage.put(Member("k", b"same"), Member("k", b"same"))

    async def all_done() -> bool:
        lease = (await stage.leases.read()).get(put.shard_id)
        return lease is not None and lease.place == (put.sequence_number, 1)

    async with stage.worker(picky):
        await until(all_done, 30, "both are done")
    letters = await read_all(stage.kinesis, stage.rejected)
    assert [letter["data"] for letter in letters] == [b"same", b"same"]
    assert len({letter["rejected_id"] for letter in letters}) == 2


async def test_of_an_aggregate_only_the_record_that_ends_the_process_is_poison(stage: Stage) -> None:
    handled: set[bytes] = set()

    async def buggy(record: Record) -> None:
        if record.data == b"7":
            raise ZeroDivisionError
        handled.add(record.data)

    await stage.put(*numbered(20))

    async def over(task: asyncio.Task[None]) -> bool:
        return task.done() or len(handled) == 19

    ended = 0
    for _ in range(6):
        async with stage.worker(buggy) as task:
            await until(lambda task=task: over(task), 30, "it ended or all is handled")  # type: ignore[misc]
            if not task.done():
                break
        assert isinstance(task.exception(), HandlerFailed)
        ended += 1
    assert ended == 3
    letters = await read_all(stage.kinesis, stage.rejected)
    assert [(letter["reason"], letter["data"]) for letter in letters] == [("poison", b"7")]
