"""From deliveries to durable objects: what is acknowledged when, and what stays bounded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.core.errors import Misconfigured, MissingResource, Refused, Throttled, Unavailable
from services.kernel.streams.records import Record
from services.lake_writer import order_lines
from services.lake_writer.batching import Bounds, cost_bytes
from services.lake_writer.rows import FLUSH_ROWS, Decoded, Format
from tests.fault.waiting import until
from tests.unit.lake_writer.landed import (
    BUCKET,
    HOUR_MS,
    MIB,
    NEVER_S,
    PREFIX,
    Stage,
    Taken,
    a_stage,
    numbers,
    orders,
)

SHARD = "shardId-000000000000"


async def turns(count: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_records_are_acknowledged_once_their_object_is_durable() -> None:
    stage = await a_stage()
    go = asyncio.Event()

    async def held(_key: str) -> None:
        await go.wait()

    stage.s3.before_put = held
    shard = stage.landing.processor(SHARD)
    taken = orders(3)
    await shard.process(taken)
    drained = asyncio.create_task(shard.drain())
    await until(lambda: stage.number("objects_in_flight") == 1, 5, "an object is on its way")
    await turns()
    assert await stage.keys() == []
    assert not any(one.acknowledged for one in taken)
    assert not drained.done()
    go.set()
    await drained
    assert all(one.acknowledged for one in taken)
    assert numbers(await stage.rows()) == [1, 2, 3]
    assert stage.number("objects_total", closed_by="drain") == 1
    assert stage.number("rows_total") == 3
    assert stage.number("objects_in_flight") == 0
    assert stage.number("object_bytes_count") == 1


class Puts:
    """Puts that end when the test says so, each with an error first if it wants."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gates: dict[str, asyncio.Event] = {}
        stage.s3.before_put = self._wait

    async def _wait(self, key: str) -> None:
        gate = self.gates.setdefault(key, asyncio.Event())
        await gate.wait()
        gate.clear()

    def waiting(self) -> list[str]:
        return sorted(key for key, gate in self.gates.items() if not gate.is_set())


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_nothing_is_acknowledged_before_it_is_durable_in_whatever_order_puts_end(seed: int) -> None:
    asyncio.run(_in_any_order(random.Random(seed)))


async def _in_any_order(rng: random.Random) -> None:
    """Two shards, objects of at most three orders; puts end in any order, some fail, some after their effect."""
    stage = await a_stage(Bounds(3 * 1_500, 500_000, NEVER_S), writes_at_once=rng.randint(1, 8))
    puts = Puts(stage)
    shards = [stage.landing.processor(f"shardId-{number:012}") for number in range(2)]
    taken: list[list[Taken]] = [[], []]
    errors: list[BaseException | None] = [None, Unavailable("away"), Throttled("slow"), Misconfigured("403")]
    for _step in range(rng.randint(1, 12)):
        at = rng.randint(0, 1)
        fresh = orders(rng.randint(1, 4), first=len(taken[at]) + 1)
        for one in fresh:
            one.record = _of_shard(one.record, at)
        taken[at] += fresh
        await shards[at].process(fresh)
        await _let_some_end(rng, stage, puts, errors)
        await _judge(stage, taken)
    drains = [asyncio.create_task(shard.drain()) for shard in shards]
    while not all(drain.done() for drain in drains):
        await _let_some_end(rng, stage, puts, [None])
        await _judge(stage, taken)
        await asyncio.sleep(0)
    assert all(one.acknowledged for one in taken[0] + taken[1])
    for at in range(2):
        rows = [row for row in await stage.rows() if row["shard_id"] == f"shardId-{at:012}"]
        assert numbers(rows) == [one.record.sequence_number for one in taken[at]]


def _of_shard(record: Record, at: int) -> Record:
    return Record(
        f"shardId-{at:012}",
        record.sequence_number,
        record.partition_key,
        record.data,
        record.arrived_at_ms,
        record.sub_sequence,
    )


async def _let_some_end(
    rng: random.Random, stage: Stage, puts: Puts, errors: Sequence[BaseException | None]
) -> None:
    await turns(3)
    error = rng.choice(errors)
    where = rng.choice(["fault", "fault_after"])
    setattr(stage.s3, where, lambda operation: error if operation == "put_object" else None)
    for key in puts.waiting():
        if rng.random() < 0.5:
            puts.gates[key].set()
    await turns(5)
    stage.s3.fault = stage.s3.fault_after = lambda _operation: None


async def _judge(stage: Stage, taken: list[list[Taken]]) -> None:
    durable = {(row["shard_id"], int(row["sequence_number"])) for row in await stage.rows()}
    for at, shard in enumerate(taken):
        for one in shard:
            place = (f"shardId-{at:012}", one.record.sequence_number)
            assert not one.acknowledged or place in durable


@pytest.mark.parametrize(
    ("bounds", "closed_by"),
    [
        (Bounds(10 * 1_400, 500_000, NEVER_S), "bytes"),
        (Bounds(64 * MIB, 40, NEVER_S), "rows"),
    ],
)
async def test_a_full_object_is_closed_and_the_next_one_goes_on(bounds: Bounds, closed_by: str) -> None:
    stage = await a_stage(bounds)
    shard = stage.landing.processor(SHARD)
    taken = orders(95, lines=4 if closed_by == "rows" else 1)
    await shard.process(taken)
    await shard.drain()
    tables = (await stage.tables()).values()
    assert len(tables) >= 10
    assert max(table.num_rows for table in tables) <= bounds.max_rows
    assert stage.number("objects_total", closed_by=closed_by) == len(tables) - 1
    kept = [set(numbers(table.to_pylist())) for table in tables]
    sizes = {one.record.sequence_number: cost_bytes(one.record) for one in taken}
    assert all(sum(sizes[number] for number in held) <= bounds.max_bytes for held in kept)
    assert sorted(set().union(*kept)) == list(range(1, 96))


async def test_an_hour_is_the_streams_whatever_the_clock_does() -> None:
    """Arrivals jump over hours and back: each object holds one hour, and the records' order stays."""
    stage = await a_stage()
    shard = stage.landing.processor(SHARD)
    hours = [5, 5, 6, 4, 4, 900_000, 5]
    taken = [orders(1, first=at, arrived_at_ms=hour * HOUR_MS)[0] for at, hour in enumerate(hours, 1)]
    await shard.process(taken)
    await shard.drain()
    tables = await stage.tables()
    assert len(tables) == 5
    found = {key.split("/")[3]: set[int]() for key in tables}
    for key, table in tables.items():
        found[key.split("/")[3]].update(numbers(table.to_pylist()))
    assert found == {
        "ingested_hour=1970-01-01T05": {1, 2, 7},
        "ingested_hour=1970-01-01T06": {3},
        "ingested_hour=1970-01-01T04": {4, 5},
        "ingested_hour=2072-09-02T00": {6},
    }


async def test_age_closes_a_batch_that_nothing_more_comes_to() -> None:
    stage = await a_stage(Bounds(64 * MIB, 500_000, 0.05))
    shard = stage.landing.processor(SHARD)
    taken = orders(2)
    await shard.process(taken)
    assert stage.number("open_batches") == 1
    assert stage.number("open_batch_bytes") == sum(cost_bytes(one.record) for one in taken)
    await until(lambda: all(one.acknowledged for one in taken), 5, "durable by age")
    assert stage.number("objects_total", closed_by="age") == 1
    assert stage.number("open_batches") == stage.number("open_batch_bytes") == 0


async def test_an_empty_shard_writes_nothing() -> None:
    stage = await a_stage(Bounds(64 * MIB, 500_000, 0.01))
    shard = stage.landing.processor(SHARD)
    await shard.process([])
    await shard.drain()
    shard.cancel()
    assert await stage.keys() == []


async def test_past_the_bound_over_all_shards_the_fullest_is_closed_early() -> None:
    size_bytes = cost_bytes(orders(1)[0].record)
    stage = await a_stage(max_open_bytes=10 * size_bytes)
    small, large = (stage.landing.processor(f"shardId-{number:012}") for number in range(2))
    few, many = orders(3), orders(7)
    await small.process(few)
    await large.process(many)
    assert stage.number("open_batches") == 2
    more = orders(1, first=8)
    await large.process(more)
    await until(lambda: all(one.acknowledged for one in many + more), 5, "the fullest is durable")
    assert not any(one.acknowledged for one in few)
    assert stage.number("objects_total", closed_by="pressure") == 1
    assert stage.number("open_batch_bytes") == 3 * size_bytes <= stage.number("open_batch_bytes_limit")
    await small.drain()


async def test_at_most_so_many_objects_are_written_at_once() -> None:
    stage = await a_stage(Bounds(1_500, 500_000, NEVER_S), writes_at_once=3)
    puts = Puts(stage)
    shard = stage.landing.processor(SHARD)
    await shard.process(orders(12))
    await until(lambda: len(puts.waiting()) == 3, 5, "three are on their way")
    await turns(200)
    assert len(puts.waiting()) == 3
    assert stage.number("objects_in_flight") == 11
    stage.s3.before_put = lambda _key: asyncio.sleep(0)
    for gate in puts.gates.values():
        gate.set()
    await shard.drain()
    assert len(await stage.keys()) == 12


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), Throttled("slow"), Misconfigured("403"), MissingResource("gone"), Refused("400")],
)
async def test_no_failure_of_s3_loses_or_blames_a_record(error: BaseException) -> None:
    """However long: a role that is wrong, or a bucket that is gone, is mended by people, not by leaving records out."""
    stage = await a_stage()
    stage.s3.fault = lambda operation: error if operation == "put_object" else None
    shard = stage.landing.processor(SHARD)
    taken = orders(3)
    await shard.process(taken)
    drained = asyncio.create_task(shard.drain())
    await until(lambda: len(taken[0].waits) >= 5, 5, "tried again and again")
    assert not any(one.acknowledged or one.failed or one.rejected for one in taken)
    assert [len(one.waits) for one in taken[1:]] == [0, 0]  # one try is one wait
    stage.s3.fault = lambda _operation: None
    await drained
    assert all(one.acknowledged for one in taken)
    assert numbers(await stage.rows()) == [1, 2, 3]


async def test_an_answer_that_is_lost_writes_the_same_object_again() -> None:
    stage = await a_stage()
    lost = iter([Unavailable("cut"), Unavailable("cut")])
    stage.s3.fault_after = lambda operation: next(lost, None) if operation == "put_object" else None
    shard = stage.landing.processor(SHARD)
    taken = orders(3)
    await shard.process(taken)
    await shard.drain()
    assert stage.s3.puts == 3
    assert numbers(await stage.rows()) == [1, 2, 3]


async def test_a_lost_lease_drops_what_is_open_and_lets_what_is_on_its_way_land_or_not() -> None:
    stage = await a_stage(Bounds(3 * 1_400, 500_000, NEVER_S))
    puts = Puts(stage)
    shard = stage.landing.processor(SHARD)
    taken = orders(4)
    await shard.process(taken)
    await until(lambda: len(puts.waiting()) == 1, 5, "the first object is on its way")
    shard.cancel()
    for gate in puts.gates.values():
        gate.set()
    await turns(50)
    assert not any(one.acknowledged for one in taken)
    assert stage.number("objects_in_flight") == stage.number("open_batches") == 0
    await shard.drain()
    assert await stage.keys() == []


async def test_what_breaks_the_contract_is_rejected_and_the_others_go_on() -> None:
    stage = await a_stage()
    shard = stage.landing.processor(SHARD)
    good = orders(3)
    bad = Taken(Record(SHARD, 2, "k", b"no json", 5 * HOUR_MS))
    await shard.process([good[0], bad, good[2]])
    assert bad.rejected is not None
    assert bad.rejected.reason == "invalid_json"
    await shard.drain()
    assert not bad.acknowledged  # that is for who rejects it
    assert numbers(await stage.rows()) == [1, 3]


async def test_records_read_with_care_are_tried_out_one_by_one_and_share_an_object() -> None:
    """The reader goes on once a record has done no harm; the first one without care closes what was read with it."""
    stage = await a_stage()
    shard = stage.landing.processor(SHARD)
    careful = orders(3)
    for one in careful:
        one.alone = True
        await shard.process([one])
        assert not one.alone
        assert not one.acknowledged
    others = orders(2, first=4)
    await shard.process(others)
    await until(lambda: all(one.acknowledged for one in careful), 5, "written together")
    assert stage.number("objects_total", closed_by="care") == 1
    assert not any(one.acknowledged for one in others)
    await shard.drain()
    assert len(await stage.keys()) == 2


async def test_a_record_that_breaks_while_it_is_read_with_care_is_blamed_and_not_passed() -> None:
    stage = await a_stage(form=_breaks_at(1))
    shard = stage.landing.processor(SHARD)
    (taken,) = orders(1)
    taken.alone = True
    await shard.process([taken])
    assert isinstance(taken.failed, ZeroDivisionError)
    assert taken.alone
    await shard.drain()
    assert not taken.acknowledged


async def test_a_record_that_cannot_be_made_into_rows_is_the_one_that_is_blamed() -> None:
    """Found among the others, before or while the object is written; none of them is acknowledged without its rows."""
    for lines in (1, FLUSH_ROWS // 2):
        stage = await a_stage(form=_breaks_at(2))
        shard = stage.landing.processor(SHARD)
        taken = orders(3, lines=lines)
        await shard.process(taken)
        drained = asyncio.create_task(shard.drain())
        await until(lambda taken=taken: taken[1].failed is not None, 5, "the guilty one is named")  # type: ignore[misc]
        shard.cancel()
        await drained
        assert isinstance(taken[1].failed, ZeroDivisionError)
        assert taken[0].failed is None
        assert not taken[0].acknowledged
        assert not taken[1].acknowledged
        assert [number for number in numbers(await stage.rows()) if number in (1, 2)] == []


def _breaks_at(number: int) -> Format[Any]:
    def batch(decoded: Sequence[Decoded[Any]]) -> pa.RecordBatch:
        if any(one.record.sequence_number == number for one in decoded):
            raise ZeroDivisionError
        return order_lines.batch(decoded)

    return Format(order_lines.FORMAT.schema, order_lines.decode, batch)


async def test_a_decoder_that_breaks_blames_its_record() -> None:
    def decode(record: Record) -> Decoded[Any]:
        if record.sequence_number == 2:
            raise ZeroDivisionError
        return order_lines.decode(record)

    stage = await a_stage(form=Format(order_lines.FORMAT.schema, decode, order_lines.batch))
    shard = stage.landing.processor(SHARD)
    taken = orders(3)
    await shard.process(taken)
    assert isinstance(taken[1].failed, ZeroDivisionError)
    assert taken[0].failed is taken[2].failed is None
    shard.cancel()


async def test_the_same_records_give_the_same_object_however_they_were_read() -> None:
    """So that what a worker without its lease still writes changes nothing."""
    taken = orders(700, lines=25)
    bodies: set[bytes] = set()
    for step in (1, 7, 100, 700):
        stage = await a_stage()
        shard = stage.landing.processor(SHARD)
        for at in range(0, len(taken), step):
            await shard.process([Taken(one.record) for one in taken[at : at + step]])
        await shard.drain()
        (key,) = await stage.keys()
        assert key.startswith(f"{PREFIX}ingested_hour=1970-01-01T05/{SHARD}-")
        bodies.add(await stage.body(key))
    assert len(bodies) == 1
    assert await stage.s3.bucket_exists(BUCKET)
