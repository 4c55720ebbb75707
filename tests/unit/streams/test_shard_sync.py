"""What a worker does beside its rounds: a Kinesis that does not answer holds up neither looks nor take-overs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import Key
from services.kernel.core.errors import MissingResource, Unavailable
from services.kernel.streams.beside import Beside
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.lag_probe import LagProbe
from services.kernel.streams.lease import SHARD_END, Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Position, Shard
from services.kernel.streams.shard_sync import ShardSync
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis

TABLE = "leases"


class HangingKinesis(MemoryKinesis):
    """A Kinesis that answers only while `answers` is set."""

    def __init__(self) -> None:
        super().__init__(lambda: 1_000.0)
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def list_shards(self, stream: str) -> list[Shard]:
        self.asked += 1
        await self.answers.wait()
        return await super().list_shards(stream)

    async def shard_iterator(self, stream: str, shard_id: str, position: Position) -> str:
        await self.answers.wait()
        return await super().shard_iterator(stream, shard_id, position)


class Stage:
    """A stream of two shards, a lease table, and a clock to turn."""

    def __init__(self) -> None:
        self.kinesis = HangingKinesis()
        self.dynamodb = MemoryDynamoDB()
        self.leases = LeaseTable(self.dynamodb, TABLE)
        self.metrics = GroupMetrics()
        self.now_s = 0.0
        self.news = 0
        self.sync = ShardSync(
            self.kinesis, "s", self.leases, self.metrics, 30.0, lambda: self.now_s, self._on_news
        )

    def _on_news(self) -> None:
        self.news += 1

    async def look(self) -> bool:
        """What a round does first."""
        return await self.sync.keep_up(await self.leases.read())

    async def settle(self) -> None:
        """Let what is under way beside the caller come to its end."""
        for _ in range(50):
            await asyncio.sleep(0)

    def lost(self) -> Any:
        return self.metrics.registry.get_sample_value("cadabra_kernel_records_lost_possible")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.kinesis.create_stream("s", 2)
    await made.dynamodb.create_table(TABLE, Key("leaseKey"))
    yield made
    made.sync.cancel()


async def test_the_first_look_is_waited_for_and_makes_the_leases(stage: Stage) -> None:
    assert await stage.look(), "the table has changed"
    assert stage.sync.listed.keys() == (await stage.leases.read()).keys()
    assert len(stage.sync.listed) == 2
    assert not await stage.look(), "nothing is due"
    assert (stage.kinesis.asked, stage.news, stage.lost()) == (1, 1, 0)


async def test_a_later_look_is_not_waited_for(stage: Stage) -> None:
    await stage.look()
    stage.kinesis.answers.clear()
    stage.now_s = 30.0
    async with asyncio.timeout(5):
        assert not await stage.look()
        stage.now_s = 90.0
        assert not await stage.look()
    await stage.settle()
    assert stage.kinesis.asked == 2, "one look at a time, however long it takes"


async def test_what_a_late_answer_shows_is_used_by_the_next_round(stage: Stage) -> None:
    await stage.look()
    stage.kinesis.answers.clear()
    [shard_id, _] = stage.sync.listed
    await stage.kinesis.split_shard("s", shard_id, "1")
    stage.sync.hurry()
    await stage.look()
    await stage.settle()
    assert (len(stage.sync.listed), stage.news) == (2, 1)
    stage.kinesis.answers.set()
    await stage.settle()
    assert (len(stage.sync.listed), stage.news) == (4, 2)
    assert stage.sync.listed.keys() == (await stage.leases.read()).keys()


async def test_a_look_that_fails_is_tried_again_and_fails_only_the_first_round(stage: Stage) -> None:
    stage.kinesis.fault = lambda _operation: Unavailable("away")
    with pytest.raises(Unavailable):
        await stage.look()
    stage.kinesis.fault = lambda _operation: None
    await stage.look()
    stage.kinesis.fault = lambda _operation: Unavailable("away")
    stage.sync.hurry()
    for tries in range(3, 6):
        assert not await stage.look()
        await stage.settle()
        assert stage.kinesis.asked == tries
    stage.kinesis.fault = lambda _operation: None
    await stage.look()
    await stage.settle()
    await stage.look()
    assert stage.kinesis.asked == 6


async def test_a_stream_that_is_gone_ends_the_worker_all_the_same(stage: Stage) -> None:
    await stage.look()
    await stage.kinesis.delete_stream("s")
    stage.sync.hurry()
    await stage.look()
    await stage.settle()
    with pytest.raises(MissingResource):
        await stage.look()


async def test_a_lease_that_is_younger_than_the_list_is_neither_lost_nor_removed(stage: Stage) -> None:
    await stage.look()
    stage.kinesis.answers.clear()
    stage.sync.hurry()
    await stage.look()
    await stage.settle()
    # Made meanwhile by a worker that listed later: this worker's answer does not name the shards.
    await stage.leases.create(Lease("younger", checkpoint=SHARD_END))
    await stage.leases.create(Lease("youngest"))
    stage.kinesis.answers.set()
    await stage.settle()
    assert {"younger", "youngest"} <= (await stage.leases.read()).keys()
    assert stage.lost() == 0


async def test_a_lease_whose_shard_is_gone_unread_is_told_as_a_possible_loss(stage: Stage) -> None:
    await stage.leases.create(Lease("gone", checkpoint="7"))
    await stage.look()
    assert stage.lost() == 1


async def test_lag_of_unread_shards_is_probed_beside_the_caller(stage: Stage) -> None:
    await stage.kinesis.put_records("s", [(b"x", "k")])
    [record] = stage.kinesis.records("s")
    probe = LagProbe(stage.kinesis, "s", lambda: stage.now_s, lambda: 1_007.0)
    stage.kinesis.answers.clear()
    lease = Lease(record.shard_id)
    assert (probe.largest_lag_ms([lease]), probe.knows_all) == (0, False)
    await stage.settle()
    assert (probe.largest_lag_ms([lease]), probe.knows_all) == (0, False)
    stage.kinesis.answers.set()
    await stage.settle()
    stage.now_s = 2.0
    assert (probe.largest_lag_ms([lease]), probe.knows_all) == (9_000, True), "it grows since the probe began"
    assert (probe.largest_lag_ms([]), probe.knows_all) == (0, True)


async def test_a_probe_that_fails_leaves_the_lag_unknown(stage: Stage) -> None:
    [shard, _] = await stage.kinesis.list_shards("s")
    probe = LagProbe(stage.kinesis, "s", lambda: stage.now_s, lambda: 1_000.0)
    stage.kinesis.fault = lambda _operation: Unavailable("away")
    for _ in range(2):
        probe.largest_lag_ms([Lease(shard.shard_id)])
        await stage.settle()
        assert not probe.knows_all
    stage.kinesis.fault = lambda _operation: None
    probe.largest_lag_ms([Lease(shard.shard_id)])
    await stage.settle()
    probe.largest_lag_ms([Lease(shard.shard_id)])
    assert probe.knows_all


async def test_an_error_of_work_beside_is_told_once() -> None:
    async def fail() -> None:
        raise Unavailable("away")

    beside = Beside()
    assert beside.ended()
    beside.begin(fail())
    assert not beside.ended()
    await beside.wait()
    with pytest.raises(Unavailable):
        beside.ended()
    assert beside.ended()
