"""The order store over every DynamoDB that we have: arrival order, repeats and late owners never show."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from contracts import codec
from contracts.order_union import UnitedOrder, union
from services.dynamodb_writer import items
from services.dynamodb_writer.metrics import WriterMetrics
from services.dynamodb_writer.order_store import OrderStore
from services.kernel.adapters.dynamodb import DynamoDB, IndexKeys, Item, Key
from services.kernel.core.errors import InvalidRecord, Unavailable
from services.kernel.streams.records import Record
from tests.memory.dynamodb import MemoryDynamoDB
from tests.orders import a_line, a_record, one_part
from tests.suites.rejected_list import RejectedList

INDEX = IndexKeys("by_customer", Key("customer_id"), Key("customer_sort"))


@dataclass
class Shelf:
    """One table, with stores over it that share the sink of dead letters."""

    dynamodb: Any
    table: str

    def store(self, rejects: RejectedList) -> OrderStore:
        return OrderStore(self.dynamodb, self.table, rejects, "orders", WriterMetrics())

    async def parts(self, order_id: str) -> list[Item]:
        page = await self.dynamodb.query(
            self.table, "order_id = :order_id", {":order_id": {"S": order_id}}, consistent=True
        )
        return list(page.items)

    async def united(self, order_id: str) -> UnitedOrder[codec.OrderLine]:
        return union(
            (items.sequence_number(item), items.decode(items.body(item)))
            for item in await self.parts(order_id)
        )


@pytest.fixture(scope="session", params=["memory", "sdk", "raw"])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    async with AsyncExitStack() as stack:
        dynamodb: Any = MemoryDynamoDB()
        if request.param != "memory":
            endpoint = request.getfixturevalue("dynamodb_endpoint")
            dynamodb = await stack.enter_async_context(
                DynamoDB.open(endpoint, "us-east-1", data_plane=request.param)
            )
        table = f"t{uuid.uuid4().hex[:8]}-order_history"
        await dynamodb.create_table(table, Key("order_id"), Key("part"), [INDEX])
        while await dynamodb.table_status(table) != "ACTIVE":
            await asyncio.sleep(0.05)
        yield Shelf(dynamodb, table)


def new_order_id() -> str:
    return uuid.uuid4().hex


async def deliver(store: OrderStore, records: Sequence[Record]) -> None:
    for record in records:
        await store.write(record)


def losers(records: Sequence[Record]) -> set[str]:
    """Whoever, of all events by their smallest sequence number, says other than the first who named the line."""
    first_seen: dict[str, tuple[int, codec.Order]] = {}
    for record in sorted(records, key=lambda record: record.sequence_number):
        order = items.decode(record.data)
        first_seen.setdefault(order.event_id, (record.sequence_number, order))
    said: dict[str, tuple[object, ...]] = {}
    lost = set()
    for _, order in first_seen.values():
        for line in order.lines:
            content = (line.quantity, line.stock_code, order.customer_id, order.kind)
            if said.setdefault(line.line_id, content) != content:
                lost.add(order.event_id)
    return lost


async def state(shelf: Shelf, order_id: str) -> tuple[object, set[tuple[str, int, bytes]]]:
    found = {
        (item["event_id"]["S"], items.sequence_number(item), items.body(item))
        for item in await shelf.parts(order_id)
    }
    return (await shelf.united(order_id)).lines, found


async def test_a_part_is_stored_once_however_often_it_comes(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    part = one_part(order_id)
    again = one_part(order_id, ingested_at="2011-11-20T11:00:00.000Z")
    assert again.event_id == part.event_id
    await deliver(shelf.store(rejects), [a_record(part, 1), a_record(part, 1), a_record(again, 2)])
    (item,) = await shelf.parts(order_id)
    assert (items.sequence_number(item), items.body(item)) == (1, codec.encode(part))
    assert rejects.puts == []


@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_contents_the_smaller_sequence_number_stays_in_both_orders(
    shelf: Shelf, first: int
) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    kept, lost = one_part(order_id), one_part(order_id, [a_line("1", quantity=7), a_line("2")])
    records = [a_record(kept, 100), a_record(lost, 200)]
    await deliver(shelf.store(rejects), [records[first], records[1 - first]])
    united = await shelf.united(order_id)
    assert [(line.line_id, line.quantity) for line in united.lines] == [("1", 6), ("2", 6)]
    (put,) = rejects.puts
    assert put["reason"] == "conflicting_duplicate"
    assert put["data"] == records[1].data
    assert (put["stream"], put["shard_id"], put["sequence_number"]) == (
        "orders",
        "shardId-000000000000",
        200,
    )
    assert [detail.pointer for detail in put["details"]] == ["/lines/0"]


async def test_an_earlier_retry_that_comes_late_wins_after_all(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    ours, theirs = one_part(order_id), one_part(order_id, [a_line("1", quantity=7)])
    store = shelf.store(rejects)
    await deliver(store, [a_record(ours, 5), a_record(theirs, 3)])
    assert (await shelf.united(order_id)).lines[0].quantity == 7
    assert rejects.events == {ours.event_id}
    await deliver(store, [a_record(ours, 1)])
    assert (await shelf.united(order_id)).lines[0].quantity == 6
    assert rejects.events == {ours.event_id, theirs.event_id}


def crowded(order_id: str) -> list[Record]:
    """Parts that overlap three ways, a repeat, a price written otherwise, two conflicts, a guest's."""
    one, two, three, four = (a_line(str(at)) for at in range(1, 5))
    a = one_part(order_id, [one, two])
    b = one_part(order_id, [a_line("2", unit_price="2.550"), three])
    c = one_part(order_id, [a_line("3", quantity=9), four])
    d = one_part(order_id, [a_line("4", stock_code="X"), a_line("5")])
    guest = one_part(order_id, [a_line("6")], customer_id=None)
    return [a_record(part, number) for number, part in enumerate((a, b, c, d, guest), start=10)]


async def test_every_permutation_gives_one_table_and_one_set_of_dead_letters(shelf: Shelf) -> None:
    reference: object = None
    for arrival in itertools.permutations(range(5)):
        order_id, rejects = "crowded-" + new_order_id(), RejectedList()
        records = crowded(order_id)
        await deliver(shelf.store(rejects), [records[at] for at in arrival])
        assert rejects.events == losers(records), arrival
        assert len(rejects.events) == 2
        lines, parts = await state(shelf, order_id)
        assert parts == {(items.decode(r.data).event_id, r.sequence_number, r.data) for r in records}
        reference = reference or lines
        assert lines == reference, arrival


@pytest.mark.parametrize("seed", range(15))
async def test_replays_of_any_stretch_by_stale_owners_change_nothing(shelf: Shelf, seed: int) -> None:
    """New owners begin at or before the end of what is stored; old ones write late whatever they had read."""
    rng = random.Random(seed)
    order_id, rejects = "stale-" + new_order_id(), RejectedList()
    records = crowded(order_id)
    retry = items.decode(records[rng.randrange(5)].data)
    records.append(a_record(retry, 20))
    new, old = shelf.store(rejects), shelf.store(rejects)
    for at, record in enumerate(records):
        await new.write(record)
        start = rng.randrange(at + 1)
        await deliver(old, records[start : rng.randint(start, at + 1)])
    lines, parts = await state(shelf, order_id)
    await deliver(old, rng.sample(records, len(records)))
    assert await state(shelf, order_id) == (lines, parts)
    assert lines == union((r.sequence_number, items.decode(r.data)) for r in records).lines
    assert rejects.events == losers(records)


@pytest.mark.parametrize("seed", range(15))
async def test_whatever_arrives_when_the_table_is_the_same_and_no_loser_is_missed(
    shelf: Shelf, seed: int
) -> None:
    """Retries under several numbers in any order, more than a stream can do: a part may then be named that was
    losing only at the time, but the table is the same and nobody who loses in the end is left out."""
    rng = random.Random(1000 + seed)
    order_id, rejects = "any-" + new_order_id(), RejectedList()
    events = [
        one_part(
            order_id, [a_line(str(line), quantity=rng.choice([1, 2])) for line in rng.sample(range(4), 2)]
        )
        for _ in range(4)
    ]
    numbers = rng.sample(range(100), 8)
    records = [a_record(event, number) for event, number in zip(events * 2, numbers, strict=True)]
    stores = [shelf.store(rejects), shelf.store(rejects)]
    await asyncio.gather(*(deliver(store, rng.sample(records, 8)) for store in stores))
    expected = union((record.sequence_number, items.decode(record.data)) for record in records)
    assert (await shelf.united(order_id)).lines == expected.lines
    assert rejects.events >= losers(records)


async def test_a_death_between_storing_and_rejecting_is_made_good_by_the_next_delivery(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList(away=1)
    kept, lost = one_part(order_id), one_part(order_id, [a_line("1", quantity=7)])
    store = shelf.store(rejects)
    await store.write(a_record(kept, 1))
    with pytest.raises(Unavailable):
        await store.write(a_record(lost, 2))
    assert rejects.puts == []
    await shelf.store(rejects).write(a_record(lost, 2))
    assert rejects.events == {lost.event_id}


async def test_senders_with_one_number_do_not_meet(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    mine = one_part(order_id)
    theirs = one_part(order_id, [a_line("1", quantity=7)], source="shop-2")
    await deliver(shelf.store(rejects), [a_record(mine, 1), a_record(theirs, 2)])
    assert {item["part"]["S"] for item in await shelf.parts(order_id)} == {"shop#", "shop-2#"}
    assert rejects.puts == []


async def test_guests_are_kept_and_customers_are_indexed(shelf: Shelf) -> None:
    rejects, customer = RejectedList(), "c" + uuid.uuid4().hex
    guest, known = new_order_id(), new_order_id()
    await deliver(
        shelf.store(rejects),
        [a_record(one_part(guest, customer_id=None), 1), a_record(one_part(known, customer_id=customer), 2)],
    )
    assert len(await shelf.parts(guest)) == 1
    page = await shelf.dynamodb.query(
        shelf.table, "customer_id = :c", {":c": {"S": customer}}, index="by_customer"
    )
    assert [item["order_id"]["S"] for item in page.items] == [known]


async def test_a_broken_record_stores_nothing(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    record = a_record(one_part(order_id), 1)
    broken = Record("s", 1, "key", record.data.replace(b'"GBP"', b'"pounds"'), 0)
    with pytest.raises(InvalidRecord) as caught:
        await shelf.store(rejects).write(broken)
    assert caught.value.reason == "contract_violation"
    assert [detail.pointer for detail in caught.value.details] == ["/currency"]
    assert await shelf.parts(order_id) == []


async def test_an_order_in_many_parts_names_every_conflict_within_the_contracts_limit(shelf: Shelf) -> None:
    order_id, rejects = new_order_id(), RejectedList()
    kept = one_part(order_id, [a_line(str(at)) for at in range(150)])
    lost = one_part(order_id, [a_line(str(at), quantity=1) for at in range(150)])
    await deliver(shelf.store(rejects), [a_record(kept, 1), a_record(lost, 2)])
    (put,) = rejects.puts
    assert len(put["details"]) == 100
    assert put["message"].startswith("150 lines")


async def test_records_at_work_together_end_as_if_they_came_one_by_one(shelf: Shelf) -> None:
    """New orders, repeats, further parts and conflicts in the same calls."""
    rejects, orders = RejectedList(), [new_order_id() for _ in range(12)]
    store = shelf.store(rejects)
    firsts = [a_record(one_part(order_id), 10 + at) for at, order_id in enumerate(orders)]
    seconds = [
        a_record(one_part(order_id, [a_line("1", quantity=7), a_line(f"more-{at}")]), 100 + at)
        for at, order_id in enumerate(orders[:6])
    ]
    repeats = [a_record(one_part(order_id), 200 + at) for at, order_id in enumerate(orders[6:])]
    await asyncio.gather(*(store.write(record) for record in firsts))
    await asyncio.gather(*(store.write(record) for record in (*seconds, *repeats)))
    parts = [await shelf.parts(order_id) for order_id in orders]
    assert [len(found) for found in parts] == [2] * 6 + [1] * 6
    assert {items.sequence_number(item) for found in parts for item in found} == {
        *range(10, 22),
        *range(100, 106),
    }
    assert {put["sequence_number"] for put in rejects.puts} == set(range(100, 106))
