"""The consumer group on the real engines: nothing lost, order kept, take-over, reshard, poison, drain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import Detail, InvalidRecord, Unavailable
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseLost, LeaseTable
from services.kernel.streams.processor import Handler, per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record, Stored
from services.kernel.streams.rejected import RejectedSink
from services.kernel.streams.rejected_reader import read_all
from services.kernel.streams.shard_consumer import HandlerFailed

LEASE_TIME_S = 1.5
SETTINGS = GroupSettings(
    lease_time_s=LEASE_TIME_S,
    poll_interval_s=0.1,
    checkpoint_interval_s=0.1,
    shard_sync_interval_s=1.0,
    drain_timeout_s=5.0,
)


@dataclass
class Stage:
    """One stream, its dead letters and the lease table of one application."""

    kinesis: Kinesis
    dynamodb: DynamoDB
    stream: str
    rejected: str
    leases: LeaseTable
    sent: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    async def put(self, count: int, keys: int = 20, first: int = 0) -> None:
        """Put numbered records; within a key their numbers rise."""
        for at in range(first, first + count, 100):
            batch = [(f"{n}".encode(), f"key-{n % keys}") for n in range(at, min(at + 100, first + count))]
            for (data, key), put in zip(
                batch, await self.kinesis.put_records(self.stream, batch), strict=True
            ):
                assert isinstance(put, Stored)
                self.sent[key].append(data)

    @asynccontextmanager
    async def worker(
        self, handle: Handler, settings: GroupSettings = SETTINGS, metrics: GroupMetrics | None = None
    ) -> AsyncIterator[tuple[ConsumerGroup, asyncio.Task[None], asyncio.Event]]:
        """Run one worker of the group; leaving asks it to stop and waits for it."""
        stopping, ready = asyncio.Event(), asyncio.Event()
        producer = Producer(self.kinesis, self.rejected)
        group = ConsumerGroup(
            "suite",
            self.stream,
            self.kinesis,
            self.leases,
            per_record(handle, concurrency=8),
            RejectedSink(producer, "suite"),
            settings,
            metrics or GroupMetrics(),
        )
        task = asyncio.create_task(group.run(stopping, ready.set))
        try:
            await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            yield group, task, stopping
        finally:
            stopping.set()
            await asyncio.gather(task, return_exceptions=True)
            await producer.drain()


class Seen:
    """A handler that notes what it was given, by key."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.by_key: dict[str, list[bytes]] = defaultdict(list)
        self.count: Counter[bytes] = Counter()
        self._pause_s = pause_s

    async def __call__(self, record: Record) -> None:
        if self._pause_s:
            await asyncio.sleep(self._pause_s)
        self.by_key[record.partition_key].append(record.data)
        self.count[record.data] += 1


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def stage(kinesis_endpoint: str, dynamodb_endpoint: str, namespace: str) -> AsyncIterator[Stage]:
    """A fresh stream of four shards."""
    async with (
        Kinesis.open(kinesis_endpoint, "us-east-1") as kinesis,
        DynamoDB.open(dynamodb_endpoint, "us-east-1") as dynamodb,
    ):
        stage = Stage(
            kinesis,
            dynamodb,
            f"{namespace}-s",
            f"{namespace}-rejected",
            LeaseTable(dynamodb, f"{namespace}-leases-suite"),
        )
        await kinesis.create_stream(stage.stream, 4)
        await kinesis.create_stream(stage.rejected, 1)
        await dynamodb.create_table(stage.leases.table, Key("leaseKey"))
        for stream in (stage.stream, stage.rejected):
            while await kinesis.stream_status(stream) != "ACTIVE":
                await asyncio.sleep(0.05)
        yield stage
        await kinesis.delete_stream(stage.stream)
        await kinesis.delete_stream(stage.rejected)


async def active(stage: Stage) -> None:
    while await stage.kinesis.stream_status(stage.stream) != "ACTIVE":
        await asyncio.sleep(0.05)


async def test_every_record_is_handled_once_and_in_order_of_its_key(stage: Stage) -> None:
    await stage.put(400)
    seen = Seen()
    async with stage.worker(seen):
        await until(lambda: sum(seen.count.values()) >= 400)
    assert dict(seen.by_key) == dict(stage.sent)


async def test_after_a_drain_the_next_worker_goes_on_without_a_repeat(stage: Stage) -> None:
    await stage.put(200)
    first, second = Seen(), Seen()
    async with stage.worker(first):
        await until(lambda: sum(first.count.values()) >= 200)
    leases = await stage.leases.read()
    assert {lease.owner for lease in leases.values()} == {None}
    await stage.put(100, first=200)
    async with stage.worker(second):
        await until(lambda: sum(second.count.values()) >= 100)
    assert not first.count.keys() & second.count.keys()


async def test_a_drain_that_takes_too_long_gives_the_unfinished_to_the_next(stage: Stage) -> None:
    await stage.put(50)
    stuck = asyncio.Event()

    async def never(_record: Record) -> None:
        stuck.set()
        await asyncio.Event().wait()

    impatient = GroupSettings(lease_time_s=LEASE_TIME_S, poll_interval_s=0.1, drain_timeout_s=0.2)
    async with stage.worker(never, impatient):
        await asyncio.wait_for(stuck.wait(), 10)
    seen = Seen()
    async with stage.worker(seen):
        await until(lambda: len(seen.count) == 50, 5)


async def test_two_workers_share_the_shards_and_a_dead_one_is_replaced(stage: Stage) -> None:
    seen = Seen()
    metrics = GroupMetrics()
    async with stage.worker(seen, metrics=metrics), stage.worker(seen) as (_, task, _stop):
        await until(lambda: metrics.leases_held._value.get() == 2, 15)
        task.cancel()  # no drain, no release: as dead as a coroutine can be
        await asyncio.gather(task, return_exceptions=True)
        await stage.put(200)
        died_at = time.monotonic()
        await until(lambda: len(seen.count) == 200, 15)
        assert time.monotonic() - died_at < LEASE_TIME_S + 4


async def test_a_split_and_a_merge_lose_nothing_and_keep_the_order(stage: Stage) -> None:
    seen = Seen(pause_s=0.002)
    async with stage.worker(seen):
        await stage.put(200)
        shards = sorted(await stage.kinesis.list_shards(stage.stream), key=lambda s: int(s.starting_hash_key))
        first = shards[0]
        middle = (int(first.starting_hash_key) + int(first.ending_hash_key)) // 2
        await stage.kinesis.split_shard(stage.stream, first.shard_id, str(middle))
        await active(stage)
        await stage.put(200, first=200)
        await stage.kinesis.merge_shards(stage.stream, shards[2].shard_id, shards[3].shard_id)
        await active(stage)
        await stage.put(200, first=400)
        await until(lambda: len(seen.count) == 600)
    for key, sent in stage.sent.items():
        assert seen.by_key[key] == sent
    leases = await stage.leases.read()
    ended = {shard_id for shard_id, lease in leases.items() if lease.ended}
    assert {first.shard_id, shards[2].shard_id, shards[3].shard_id} <= ended


async def test_a_record_that_breaks_its_contract_is_kept_with_its_bytes_and_the_shard_goes_on(
    stage: Stage,
) -> None:
    seen = Seen()

    async def picky(record: Record) -> None:
        if record.data == b"13":
            raise InvalidRecord("contract_violation", "unlucky", [Detail("", "is 13")])
        await seen(record)

    await stage.put(60)
    async with stage.worker(picky):
        await until(lambda: len(seen.count) == 59)
    [letter] = await read_all(stage.kinesis, stage.rejected)
    assert (letter["reason"], letter["data"], letter["service"]) == ("contract_violation", b"13", "suite")
    assert letter["details"] == [{"pointer": "", "reason": "is 13"}]


async def test_a_sink_that_is_away_rejects_nothing(stage: Stage) -> None:
    seen = Seen()
    away = {"until": time.monotonic() + 2 * LEASE_TIME_S}

    async def sink(record: Record) -> None:
        if time.monotonic() < away["until"]:
            raise Unavailable("the sink is away")
        await seen(record)

    await stage.put(40)
    async with stage.worker(sink):
        await until(lambda: len(seen.count) == 40, 40)
    assert await read_all(stage.kinesis, stage.rejected) == []


async def test_a_record_that_ends_the_process_three_times_is_poison(stage: Stage) -> None:
    seen = Seen()

    async def buggy(record: Record) -> None:
        if record.data == b"7":
            raise ZeroDivisionError
        await seen(record)

    await stage.put(40)
    ended = 0
    for _ in range(6):
        async with stage.worker(buggy) as (_, task, _stop):
            await until(lambda task=task: task.done() or len(seen.count) == 39, 20)  # type: ignore[misc]
            if not task.done():
                break
        assert isinstance(task.exception(), HandlerFailed)
        ended += 1
    assert ended == 3
    [letter] = await read_all(stage.kinesis, stage.rejected)
    assert (letter["reason"], letter["data"]) == ("poison", b"7")


async def test_a_record_that_kills_the_process_without_a_word_is_found(stage: Stage) -> None:
    """A killed process leaves only its lease behind: after two deaths records are handed out one by one."""
    await stage.put(40)
    seen = Seen()
    deaths = 0

    for _ in range(8):
        killed = asyncio.Event()

        async def deadly(record: Record, killed: asyncio.Event = killed) -> None:
            if record.data == b"7":
                killed.set()
                await asyncio.Event().wait()
            await seen(record)

        async with stage.worker(deadly) as (_, task, _stop):
            await until(lambda killed=killed: killed.is_set() or len(seen.count) == 39, 20)  # type: ignore[misc]
            if not killed.is_set():
                break
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            deaths += 1
    assert 3 <= deaths <= 6
    letters = await read_all(stage.kinesis, stage.rejected)
    assert [(letter["reason"], letter["data"]) for letter in letters] == [("poison", b"7")]


async def test_too_many_rejections_pause_the_shard_until_somebody_resumes_it(stage: Stage) -> None:
    good = Seen()
    broken = {"now": True}

    async def release(record: Record) -> None:
        if broken["now"]:
            raise InvalidRecord("contract_violation", "a bad release")
        await good(record)

    await stage.put(150, keys=1)
    metrics = GroupMetrics()
    async with stage.worker(release, metrics=metrics):
        await until(lambda: metrics.shards_paused._value.get() == 1)
        broken["now"] = False
        await stage.put(50, keys=1, first=150)
        [paused] = [lease for lease in (await stage.leases.read()).values() if lease.paused]
        await asyncio.sleep(3 * SETTINGS.poll_interval_s)
        later = {f"{n}".encode() for n in range(150, 200)}
        assert not later & good.count.keys(), "a paused shard was read"
        await stage.leases.resume(paused.shard_id)
        await until(lambda: later <= good.count.keys())


async def test_open_bytes_stay_within_their_bound(stage: Stage) -> None:
    blob = b"x" * 100_000
    held: list[Record] = []
    go_on = asyncio.Event()

    async def slow(record: Record) -> None:
        held.append(record)
        await go_on.wait()

    for n in range(0, 60, 10):
        await stage.kinesis.put_records(stage.stream, [(blob, f"key-{n + i}") for i in range(10)])
    limit = 11 * 1024 * 1024
    metrics = GroupMetrics()
    settings = GroupSettings(
        lease_time_s=LEASE_TIME_S, poll_interval_s=0.1, max_open_bytes=limit, drain_timeout_s=5
    )
    async with stage.worker(slow, settings, metrics) as (group, _, _stop):
        for _ in range(40):
            await asyncio.sleep(0.05)
            assert group._budget.used_bytes <= limit
        assert metrics.open_bytes._value.get() > 0
        go_on.set()
        await until(lambda: metrics.records_handled._value.get() == 60)


async def test_a_zombie_cannot_checkpoint(stage: Stage) -> None:
    lease = Lease("shardId-000000000000")
    await stage.leases.create(lease)
    old = await stage.leases.take(lease, Lease("shardId-000000000000", owner="old"))
    assert old is not None
    new = await stage.leases.take(old, Lease("shardId-000000000000", owner="new", checkpoint="5"))
    assert new is not None
    with pytest.raises(LeaseLost):
        await stage.leases.write(old, Lease("shardId-000000000000", owner="old", checkpoint="9"))
    assert (await stage.leases.read())["shardId-000000000000"].checkpoint == "5"


async def test_of_two_workers_that_want_a_lease_one_gets_it(stage: Stage) -> None:
    lease = Lease("shardId-000000000000")
    await stage.leases.create(lease)
    taken = await asyncio.gather(
        *(stage.leases.take(lease, Lease(lease.shard_id, owner=f"w{n}")) for n in range(8))
    )
    assert sum(one is not None for one in taken) == 1


async def test_attributes_that_we_do_not_know_survive_our_writes(stage: Stage) -> None:
    item = {
        "leaseKey": {"S": "shardId-000000000000"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "leaseCounter": {"N": "4"},
        "throughputKBps": {"N": "0.5"},
    }
    await stage.dynamodb.put_item(stage.leases.table, item)
    [lease] = (await stage.leases.read()).values()
    await stage.leases.take(lease, Lease(lease.shard_id, owner="me", counter=4, checkpoint="7"))
    row = await stage.dynamodb.get_item(stage.leases.table, {"leaseKey": {"S": lease.shard_id}})
    assert row is not None
    assert row["throughputKBps"] == {"N": "0.5"}
    assert (row["leaseOwner"], row["leaseCounter"]) == ({"S": "me"}, {"N": "5"})
