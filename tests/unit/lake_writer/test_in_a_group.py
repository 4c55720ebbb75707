"""A landing in the consumer group that drives it, over memory: what is open stays bounded, and never stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from contracts import codec
from contracts.codec import Order
from services.kernel.adapters.dynamodb import Key
from services.kernel.adapters.kinesis import MAX_RECORDS_PER_GET
from services.kernel.core.errors import Unavailable
from services.kernel.streams.aggregation import Member, aggregate
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Fetch
from services.kernel.streams.rejected import RejectedSink
from services.kernel.streams.shard_reader import FETCH_BYTES
from services.lake_writer.batching import Bounds
from tests.fault.waiting import until
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis
from tests.orders import a_line, one_part
from tests.unit.lake_writer.landed import MIB, NEVER_S, Stage, a_stage

LIMIT_BYTES, OPEN_BATCHES_BYTES = 16 * MIB, 6 * MIB
SETTINGS = GroupSettings(
    lease_time_s=5.0,
    poll_interval_s=0.05,
    checkpoint_interval_s=0.05,
    max_open_bytes=LIMIT_BYTES,
    drain_timeout_s=10.0,
)


class OneFetchAtMost(MemoryKinesis):
    """Answers what AWS would at most: 10 MiB. Source: Kinesis Data Streams, Service Reference, GetRecords."""

    async def get_records(
        self,
        iterator: str,
        limit: int = MAX_RECORDS_PER_GET,
        stream: str | None = None,
        shard_id: str = "",
    ) -> Fetch:
        return await super().get_records(iterator, min(limit, 12), stream, shard_id)


@dataclass
class Running:
    """A group at work on a stream of two shards."""

    stage: Stage
    kinesis: MemoryKinesis
    leases: LeaseTable

    def bounded(self) -> None:
        """The bounds hold now."""
        assert self.stage.number("open_bytes") <= LIMIT_BYTES
        assert self.stage.number("open_batch_bytes") <= OPEN_BATCHES_BYTES

    def rows(self) -> float:
        """Rows written so far."""
        return self.stage.number("rows_total")


@asynccontextmanager
async def running(bounds: Bounds) -> AsyncIterator[Running]:
    stage = await a_stage(bounds, max_open_bytes=OPEN_BATCHES_BYTES)
    kinesis, dynamodb = OneFetchAtMost(), MemoryDynamoDB()
    await kinesis.create_stream("orders", 2)
    await dynamodb.create_table("leases", Key("leaseKey"))
    leases = LeaseTable(dynamodb, "leases")
    group = ConsumerGroup(
        "lake_writer",
        "orders",
        kinesis,
        leases,
        stage.landing.processor,
        cast(RejectedSink, None),
        SETTINGS,
        stage.metrics,
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(group.run(stopping))
    try:
        yield Running(stage, kinesis, leases)
    finally:
        stopping.set()
        await task


def large(number: int, size_bytes: int = 800_000) -> Order:
    """An order whose record has nearly so many bytes."""
    text = "d" * 1_000
    lines = [a_line(str(at), description=text) for at in range(size_bytes // 1_150)]
    return one_part(f"o{number}", lines, max_bytes=size_bytes)


async def send(kinesis: MemoryKinesis, orders: list[Order]) -> None:
    for order in orders:
        await kinesis.put_records("orders", [(codec.encode(order), order.order_id)])


async def test_less_room_than_a_minute_brings_makes_objects_smaller_and_never_a_standstill() -> None:
    """No batch is ever old enough here, and four times the room passes: by closing the fullest early."""
    orders = [large(number) for number in range(80)]
    per_order = len(orders[0].lines)
    async with running(Bounds(64 * MIB, 500_000, NEVER_S)) as group:
        await send(group.kinesis, orders)

        async def all_but_what_may_wait() -> bool:
            group.bounded()
            return (80 * per_order - group.rows()) * 1_150 <= OPEN_BATCHES_BYTES

        await until(all_but_what_may_wait, 30, "all but what may wait is landed", 0.005)
        assert group.stage.number("objects_total", closed_by="pressure") >= 5
        assert group.stage.number("objects_total", closed_by="age") == 0
    assert len(await group.stage.rows()) == 80 * per_order  # the drain wrote the rest


async def test_while_s3_is_away_reading_stops_and_afterwards_nothing_is_missing() -> None:
    orders = [large(number) for number in range(60)]
    lines = sum(len(order.lines) for order in orders)
    async with running(Bounds(64 * MIB, 500_000, 0.05)) as group:
        group.stage.s3.fault = lambda operation: Unavailable("away") if operation == "put_object" else None
        await send(group.kinesis, orders)

        async def no_room_for_a_fetch() -> bool:
            group.bounded()
            tries = group.stage.number("records_retried_total", error="Unavailable")
            return group.stage.number("open_bytes") > LIMIT_BYTES - FETCH_BYTES and tries > 20

        await until(no_room_for_a_fetch, 30, "as much is open as may be", 0.005)
        before = {shard: lease.counter for shard, lease in (await group.leases.read()).items()}

        async def renewed() -> bool:
            group.bounded()
            return all(lease.counter > before[key] for key, lease in (await group.leases.read()).items())

        await until(renewed, 30, "the leases are kept")
        assert {lease.checkpoint for lease in (await group.leases.read()).values()} == {"TRIM_HORIZON"}
        assert await group.stage.keys() == []
        group.stage.s3.fault = lambda _operation: None
        await until(lambda: _reached(group, lines), 30, "all landed", 0.005)
    assert len(await group.stage.rows()) == lines


async def _reached(group: Running, lines: int) -> bool:
    return group.rows() >= lines


async def test_aggregates_that_swell_past_the_budget_wait_for_their_own_object_at_most() -> None:
    """One fetch of 12 is over twice the budget once it is taken apart."""
    orders = [one_part(f"o{number}") for number in range(24_000)]
    members = [Member(order.order_id, codec.encode(order)) for order in orders]
    async with running(Bounds(64 * MIB, 500_000, 0.2)) as group:
        for at in range(0, len(members), 2_000):
            await group.kinesis.put_records("orders", [(aggregate(members[at : at + 2_000]), f"k{at}")])
        await until(lambda: _reached(group, len(orders)), 30, "all landed", 0.005)
    assert {row["order_id"] for row in await group.stage.rows()} == {order.order_id for order in orders}
