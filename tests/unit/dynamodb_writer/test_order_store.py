"""Throttled or cut off, a write is tried again as a whole and its effect stays the same."""

from __future__ import annotations

import asyncio

import pytest

from services.dynamodb_writer import items
from services.dynamodb_writer.metrics import WriterMetrics
from services.dynamodb_writer.order_store import OrderStore
from services.kernel.adapters.dynamodb import IndexKeys, Key
from services.kernel.core.errors import Throttled, TimedOut
from tests.memory.dynamodb import MemoryDynamoDB
from tests.orders import a_line, a_record, one_part
from tests.suites.rejected_list import RejectedList

TABLE = "t-order_history"
INDEX = IndexKeys("by_customer", Key("customer_id"), Key("customer_sort"))


class Bench:
    """A store over a table in memory."""

    def __init__(self) -> None:
        self.dynamodb = MemoryDynamoDB()
        self.rejects = RejectedList()
        self.metrics = WriterMetrics()
        self.store = OrderStore(self.dynamodb, TABLE, self.rejects, "orders", self.metrics)

    async def open(self) -> Bench:
        await self.dynamodb.create_table(TABLE, Key("order_id"), Key("part"), [INDEX])
        return self

    async def numbers(self, order_id: str) -> list[int]:
        page = await self.dynamodb.query(TABLE, "order_id = :o", {":o": {"S": order_id}})
        return sorted(items.sequence_number(item) for item in page.items)

    def count(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"cadabra_dynamodb_writer_{name}_total")


async def test_a_throttled_put_is_told_counted_and_harmless() -> None:
    bench = await Bench().open()
    bench.dynamodb.fault = lambda operation: Throttled("slow down") if operation == "put_item" else None
    with pytest.raises(Throttled):
        await bench.store.write(a_record(one_part("1"), 1))
    bench.dynamodb.fault = lambda _: None
    await bench.store.write(a_record(one_part("1"), 1))
    assert await bench.numbers("1") == [1]
    assert bench.count("throttled_puts") == 1
    assert bench.rejects.puts == []


async def test_a_lost_answer_is_recognised_as_our_own_write() -> None:
    bench = await Bench().open()
    lost = iter([TimedOut("no answer")])
    bench.dynamodb.fault_after = lambda _: next(lost, None)
    record = a_record(one_part("1"), 1)
    with pytest.raises(TimedOut):
        await bench.store.write(record)
    await bench.store.write(record)
    assert await bench.numbers("1") == [1]
    assert bench.count("repeated_parts") == 1
    assert bench.rejects.puts == []


@pytest.mark.parametrize("lost_at", range(4))
async def test_a_conflict_survives_a_loss_at_every_call(lost_at: int) -> None:
    bench = await Bench().open()
    await bench.store.write(a_record(one_part("1"), 1))
    loser = a_record(one_part("1", [a_line("1", quantity=7)]), 2)
    calls = 0

    def fault(_operation: str) -> TimedOut | None:
        nonlocal calls
        calls += 1
        return TimedOut("no answer") if calls == lost_at + 1 else None

    bench.dynamodb.fault_after = fault
    while True:
        try:
            await bench.store.write(loser)
        except TimedOut:
            continue
        break
    assert await bench.numbers("1") == [1, 2]
    assert {put["sequence_number"] for put in bench.rejects.puts} == {2}


async def test_two_workers_that_lower_one_part_leave_the_smallest_number() -> None:
    bench = await Bench().open()
    part = one_part("1")
    await bench.store.write(a_record(part, 9))
    await asyncio.gather(*(bench.store.write(a_record(part, number)) for number in (5, 3, 7, 4)))
    assert await bench.numbers("1") == [3]
