"""What comes in is handed out once, in order, and holds its room; an aggregate that swells waits its turn."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import cast

import pytest

from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.aggregation import MAGIC, Member, aggregate
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.intake import RECORD_OVERHEAD_BYTES, Intake
from services.kernel.streams.lag_probe import lag_at_checkpoint_ms
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Fetch, Record
from services.kernel.streams.shard_reader import FETCH_BYTES, ShardReader
from tests.memory.kinesis import MemoryKinesis


class Fetched:
    """A reader that has one fetch to give, or none because the stream lacks the shard."""

    lacks_the_shard = False

    def __init__(self, *data: bytes) -> None:
        self.records = [Record("s", number, "k", one, 0) for number, one in enumerate(data)]

    async def fetch(self) -> Fetch | None:
        return None if self.lacks_the_shard else Fetch(self.records, "next", 0)


class Handed:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.errors: list[InvalidRecord] = []

    async def __call__(self, records: Sequence[Record], error: InvalidRecord | None) -> None:
        self.records += records
        if error is not None:
            self.errors.append(error)

    @property
    def places(self) -> list[tuple[int, int]]:
        return [(one.sequence_number, one.sub_sequence) for one in self.records]


def packed(*data: bytes) -> bytes:
    return aggregate([Member("k", one) for one in data])


def intake(
    reader: Fetched,
    budget: ByteBudget,
    done: tuple[int, int] | None = None,
    metrics: GroupMetrics | None = None,
) -> Intake:
    return Intake(cast(ShardReader, reader), CheckpointTracker(done), budget, metrics or GroupMetrics())


async def test_plain_records_and_aggregates_are_handed_out_in_order_and_hold_their_room() -> None:
    budget, handed = ByteBudget(2 * FETCH_BYTES), Handed()
    here = intake(Fetched(b"a", packed(b"bb", b"ccc"), b"d"), budget)
    fetch = await here.fetch(handed)
    assert fetch is not None
    assert fetch.next_iterator == "next"
    assert handed.places == [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert budget.used_bytes == 7 + 4 * RECORD_OVERHEAD_BYTES
    for one in handed.records[:2]:
        assert here.acknowledge(one)
        assert here.acknowledge(one) is False
    assert budget.used_bytes == 4 + 2 * RECORD_OVERHEAD_BYTES
    here.give_back()
    assert budget.used_bytes == 0


async def test_a_checkpoint_inside_an_aggregate_passes_over_what_is_done() -> None:
    handed, metrics = Handed(), GroupMetrics()
    here = intake(Fetched(b"a", packed(b"b", b"c", b"d"), b"e"), ByteBudget(FETCH_BYTES), (1, 1), metrics)
    await here.fetch(handed)
    assert handed.places == [(1, 2), (2, 0)]
    [refetched] = metrics.records_refetched.collect()
    assert [one.value for one in refetched.samples] == [3]


async def test_a_shard_that_is_gone_is_told_and_holds_no_room() -> None:
    reader, budget = Fetched(), ByteBudget(FETCH_BYTES)
    reader.lacks_the_shard = True
    assert await intake(reader, budget).fetch(Handed()) is None
    assert budget.used_bytes == 0


async def test_what_could_not_be_handed_out_any_more_holds_no_room() -> None:
    async def stopped(_records: Sequence[Record], _error: InvalidRecord | None) -> None:
        raise asyncio.CancelledError

    budget = ByteBudget(2 * FETCH_BYTES)
    here = intake(Fetched(packed(b"a"), packed(b"b")), budget)
    with pytest.raises(asyncio.CancelledError):
        await here.fetch(stopped)
    here.give_back()
    assert budget.used_bytes == 0


async def test_at_the_bound_itself_the_next_aggregate_is_taken_apart() -> None:
    first, second = packed(b"a", b"b"), packed(b"c")
    bound = 2 + 2 * RECORD_OVERHEAD_BYTES + len(second)
    handed = Handed()
    async with asyncio.timeout(5):
        await intake(Fetched(first, second), ByteBudget(bound)).fetch(handed)
    assert handed.places == [(0, 0), (0, 1), (1, 0)]


async def test_a_broken_aggregate_comes_whole_with_its_reason() -> None:
    broken = packed(b"x").replace(b"\x08\x00", b"\x08\x07")
    body = broken[4:-16]
    broken = MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()
    handed = Handed()
    await intake(Fetched(b"a", broken, b"b"), ByteBudget(FETCH_BYTES)).fetch(handed)
    assert [one.data for one in handed.records] == [b"a", broken, b"b"]
    assert [error.reason for error in handed.errors] == ["bad_aggregate"]


async def test_aggregates_that_swell_are_taken_apart_only_as_room_comes_back() -> None:
    swelling = packed(*[b""] * 1_000)  # 6 kB as it comes, 512 kB when taken apart
    budget, handed = ByteBudget(FETCH_BYTES), Handed()
    here = intake(Fetched(*[swelling] * 60), budget)
    fetching = asyncio.create_task(here.fetch(handed))
    most = done = 0
    async with asyncio.timeout(10):
        while not fetching.done():
            await asyncio.sleep(0)
            most = max(most, budget.used_bytes)
            for one in handed.records[done:]:
                here.acknowledge(one)
                done += 1
                if done % 1_000 == 0:
                    break
    assert len(handed.records) == 60_000
    assert most <= FETCH_BYTES + 1_000 * RECORD_OVERHEAD_BYTES
    for one in handed.records[done:]:
        here.acknowledge(one)
    assert budget.used_bytes == 0


async def test_an_aggregate_larger_than_the_budget_is_taken_apart_alone() -> None:
    handed = Handed()
    async with asyncio.timeout(5):
        here = intake(Fetched(packed(*[b""] * 100), packed(b"x")), ByteBudget(1_000))
        fetching = asyncio.create_task(here.fetch(handed))
        while len(handed.records) < 100:
            await asyncio.sleep(0)
        assert not fetching.done()
        for one in list(handed.records):
            here.acknowledge(one)
        await fetching
    assert len(handed.records) == 101


async def test_lag_at_a_checkpoint_counts_what_is_open_inside_its_aggregate() -> None:
    now_s = 1_000.0
    kinesis = MemoryKinesis(lambda: now_s)
    await kinesis.create_stream("s", 1)
    [shard] = await kinesis.list_shards("s")
    await kinesis.put_records("s", [(packed(b"1", b"2", b"3"), "k")])
    [first] = kinesis.records("s")
    now_s = 1_007.0

    async def lag_ms(sub_sequence: int) -> int:
        lease = Lease(shard.shard_id, checkpoint=str(first.sequence_number), sub_sequence=sub_sequence)
        return await lag_at_checkpoint_ms(kinesis, "s", lease, lambda: now_s)

    assert [await lag_ms(sub) for sub in (0, 1, 2)] == [7_000, 7_000, 0]
    await kinesis.put_records("s", [(b"plain", "k")])
    now_s = 1_010.0
    assert [await lag_ms(sub) for sub in (1, 2)] == [10_000, 3_000]
