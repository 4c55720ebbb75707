"""One suite for every DynamoDB that we have: conditions, pages, indexes, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB, IndexKeys, Item, Key
from services.kernel.adapters.transaction import Put, Update
from services.kernel.core.errors import InvalidRecord, MissingResource, Refused, Throttled
from tests.fault.waiting import until
from tests.memory.dynamodb import MemoryDynamoDB

ABSENT = "attribute_not_exists(order_id)"
INDEX = IndexKeys("by_customer", Key("customer_id"), Key("customer_sort"))


@dataclass
class Table:
    """One table of a test."""

    dynamodb: DynamoDB
    name: str

    async def put(self, order_id: str, part: str, **attributes: Item) -> Item:
        item = {"order_id": {"S": order_id}, "part": {"S": part}, **attributes}
        await self.dynamodb.put_item(self.name, item)
        return item


def key(order_id: str, part: str) -> Item:
    return {"order_id": {"S": order_id}, "part": {"S": part}}


@pytest.fixture(params=["memory", "sdk", "raw"])
async def dynamodb(request: pytest.FixtureRequest) -> AsyncIterator[DynamoDB]:
    if request.param == "memory":
        yield MemoryDynamoDB()
        return
    endpoint = request.getfixturevalue("dynamodb_endpoint")
    async with DynamoDB.open(endpoint, "us-east-1", data_plane=request.param) as client:
        yield client


@pytest.fixture
async def table(dynamodb: DynamoDB, namespace: str) -> AsyncIterator[Table]:
    name = f"{namespace}-table"
    assert await dynamodb.create_table(name, Key("order_id"), Key("part"), [INDEX])

    async def active() -> bool:
        return await dynamodb.table_status(name) == "ACTIVE"

    await until(active, 30, f"{name} is ACTIVE")
    yield Table(dynamodb, name)
    await dynamodb.delete_table(name)


async def test_an_item_comes_back_as_it_went(table: Table) -> None:
    item = await table.put(
        "1",
        "a#",
        n={"N": "12.5"},
        body={"B": bytes(range(256))},
        text={"S": "Ünïcode ✓"},
        none={"NULL": True},
    )
    found = await table.dynamodb.get_item(table.name, key("1", "a#"))
    assert found == item
    assert await table.dynamodb.get_item(table.name, key("2", "a#")) is None


async def test_insert_only_keeps_the_first_and_shows_it(table: Table) -> None:
    first = {**key("1", "a#"), "event_id": {"S": "one"}}
    second = {**key("1", "a#"), "event_id": {"S": "two"}}
    await table.dynamodb.put_item(table.name, first, condition=ABSENT)
    with pytest.raises(ConditionFailed) as raised:
        await table.dynamodb.put_item(table.name, second, condition=ABSENT, return_old_on_failure=True)
    assert raised.value.item == first
    with pytest.raises(ConditionFailed) as raised:
        await table.dynamodb.put_item(table.name, second, condition=ABSENT)
    assert raised.value.item is None
    assert await table.dynamodb.get_item(table.name, key("1", "a#")) == first


async def test_of_many_writers_one_wins(table: Table) -> None:
    async def insert(number: int) -> bool:
        item = {**key("1", "a#"), "who": {"N": str(number)}}
        try:
            await table.dynamodb.put_item(table.name, item, condition=ABSENT)
        except ConditionFailed:
            return False
        return True

    won = await asyncio.gather(*(insert(number) for number in range(16)))
    assert sum(won) == 1
    found = await table.dynamodb.get_item(table.name, key("1", "a#"))
    assert found is not None
    assert found["who"] == {"N": str(won.index(True))}


async def test_an_update_is_conditional_and_returns_the_new_item(table: Table) -> None:
    await table.put("1", "a#", counter={"N": "1"}, owner={"S": "me"}, old={"S": "x"})
    new = await table.dynamodb.update_item(
        table.name,
        key("1", "a#"),
        "SET #counter = #counter + :one, seen = if_not_exists(seen, :now) REMOVE #old",
        condition="#counter = :counter AND #owner = :me",
        names={"#counter": "counter", "#owner": "owner", "#old": "old"},
        values={":one": {"N": "1"}, ":now": {"S": "now"}, ":counter": {"N": "1"}, ":me": {"S": "me"}},
    )
    assert new == {**key("1", "a#"), "counter": {"N": "2"}, "owner": {"S": "me"}, "seen": {"S": "now"}}
    with pytest.raises(ConditionFailed) as raised:
        await table.dynamodb.update_item(
            table.name,
            key("1", "a#"),
            "SET #counter = :one",
            condition="#counter < :one OR (NOT attribute_exists(seen))",
            names={"#counter": "counter"},
            values={":one": {"N": "1"}},
            return_old_on_failure=True,
        )
    assert raised.value.item == new


async def test_an_update_without_wish_for_the_new_item_returns_none(table: Table) -> None:
    assert (
        await table.dynamodb.update_item(
            table.name, key("1", "a#"), "SET a = :a", values={":a": {"S": "x"}}, return_new=False
        )
        is None
    )
    assert await table.dynamodb.get_item(table.name, key("1", "a#")) == {**key("1", "a#"), "a": {"S": "x"}}


async def test_a_condition_on_no_item_fails_without_one(table: Table) -> None:
    with pytest.raises(ConditionFailed) as raised:
        await table.dynamodb.update_item(
            table.name,
            key("1", "a#"),
            "REMOVE a",
            condition="attribute_exists(order_id)",
            return_old_on_failure=True,
        )
    assert raised.value.item is None
    with pytest.raises(ConditionFailed):
        await table.dynamodb.delete_item(
            table.name, key("1", "a#"), condition="a = :a", values={":a": {"S": "x"}}
        )


async def test_delete(table: Table) -> None:
    await table.put("1", "a#")
    await table.dynamodb.delete_item(table.name, key("1", "a#"), condition="attribute_exists(part)")
    await table.dynamodb.delete_item(table.name, key("1", "a#"))
    assert await table.dynamodb.get_item(table.name, key("1", "a#")) is None


async def test_a_query_reads_one_hash_key_in_order(table: Table) -> None:
    for part in ("b#", "a#2", "a#", "a#1"):
        await table.put("1", part)
    await table.put("2", "a#")
    page = await table.dynamodb.query(
        table.name,
        "order_id = :order_id AND begins_with(part, :part)",
        {":order_id": {"S": "1"}, ":part": {"S": "a#"}},
        consistent=True,
    )
    assert [item["part"]["S"] for item in page.items] == ["a#", "a#1", "a#2"]
    assert page.last_key is None


async def test_a_page_ends_at_1_mb_and_the_next_goes_on(table: Table) -> None:
    for number in range(5):
        await table.put("1", f"{number}", body={"B": b"x" * 300_000})
    parts: list[str] = []
    pages = 0
    start_key: Item | None = None
    while True:
        page = await table.dynamodb.query(
            table.name, "order_id = :o", {":o": {"S": "1"}}, start_key=start_key, consistent=True
        )
        parts += [item["part"]["S"] for item in page.items]
        pages += 1
        start_key = page.last_key
        if start_key is None:
            break
    assert parts == ["0", "1", "2", "3", "4"]
    assert pages == 2


async def test_a_limit_cuts_forwards_and_backwards(table: Table) -> None:
    for number in range(5):
        await table.put("1", f"{number}")
    for forward, expected in ((True, ["0", "1", "2", "3"]), (False, ["4", "3", "2", "1"])):
        first = await table.dynamodb.query(
            table.name, "order_id = :o", {":o": {"S": "1"}}, limit=2, forward=forward
        )
        second = await table.dynamodb.query(
            table.name,
            "order_id = :o",
            {":o": {"S": "1"}},
            limit=2,
            forward=forward,
            start_key=first.last_key,
        )
        assert [item["part"]["S"] for item in first.items + second.items] == expected


async def test_an_index_holds_keys_of_the_items_that_have_its_attributes(table: Table) -> None:
    sort = ["2011-01-01", "2010-12-01", "2011-05-05"]
    for number, day in enumerate(sort):
        await table.put(
            f"{number}", "a#", customer_id={"S": "17850"}, customer_sort={"S": day}, body={"B": b"x"}
        )
    await table.put("guest", "a#", customer_sort={"S": "2011-02-02"})
    found: list[Item] = []
    start_key: Item | None = None
    while True:
        page = await table.dynamodb.query(
            table.name,
            "customer_id = :c",
            {":c": {"S": "17850"}},
            index="by_customer",
            forward=False,
            limit=2,
            start_key=start_key,
        )
        found += page.items
        start_key = page.last_key
        if start_key is None:
            break
    assert [item["customer_sort"]["S"] for item in found] == sorted(sort, reverse=True)
    assert all(set(item) == {"order_id", "part", "customer_id", "customer_sort"} for item in found)


async def test_a_scan_reads_everything_once_in_parallel_segments_too(table: Table) -> None:
    puts = [{**key(f"{number}", "a#"), "body": {"B": b"x" * 60_000}} for number in range(40)]
    for first in range(0, len(puts), 10):
        assert await table.dynamodb.batch_write(table.name, puts[first : first + 10]) == ([], [])
    whole = [item["order_id"]["S"] async for item in table.dynamodb.scan(table.name)]
    assert sorted(whole) == sorted(item["order_id"]["S"] for item in puts)
    parts = [
        item["order_id"]["S"]
        for segment in range(3)
        async for item in table.dynamodb.scan(table.name, segment=segment, total=3)
    ]
    assert sorted(parts) == sorted(whole)


async def test_a_batch_of_inserts_stores_what_is_new_and_tells_what_is_not(table: Table) -> None:
    old = await table.put("1", "a#", event_id={"S": "old"})
    taken = {**key("1", "a#"), "event_id": {"S": "new"}}
    new = [
        {
            **key("1", "b#"),
            "body": {"B": bytes(range(256))},
            "n": {"N": "12.5"},
            "text": {"S": 'it\'s "Ü" ?'},
        },
        key("2", "a#"),
    ]
    outcomes = await table.dynamodb.insert_batch(table.name, [new[0], taken, new[1]])
    assert [type(outcome) for outcome in outcomes] == [type(None), ConditionFailed, type(None)]
    assert await table.dynamodb.get_item(table.name, key("1", "a#")) == old
    for item in new:
        assert (
            await table.dynamodb.get_item(table.name, key(item["order_id"]["S"], item["part"]["S"])) == item
        )


async def test_an_insert_above_400_kb_fails_alone_in_its_batch(table: Table) -> None:
    too_large = {**key("1", "a#"), "body": {"B": b"x" * 410_000}}
    outcomes = await table.dynamodb.insert_batch(table.name, [too_large, key("2", "a#")])
    assert isinstance(outcomes[0], InvalidRecord)
    assert (outcomes[0].reason, outcomes[1]) == ("too_large", None)


async def test_of_many_batches_one_stores_an_item(table: Table) -> None:
    async def insert(number: int) -> bool:
        batch = [{**key(f"{n}", "a#"), "who": {"N": str(number)}} for n in range(2)]
        outcomes = await table.dynamodb.insert_batch(table.name, batch)
        return outcomes[0] is None

    assert sum(await asyncio.gather(*(insert(number) for number in range(16)))) == 1


async def test_a_batch_is_25_inserts_of_different_keys_at_most(table: Table) -> None:
    full = [key(f"{n}", "a#") for n in range(25)]
    assert await table.dynamodb.insert_batch(table.name, full) == [None] * 25
    for batch in ([*full, key("25", "a#")], [key("1", "b#"), key("1", "b#")]):
        with pytest.raises(Refused):
            await table.dynamodb.insert_batch(table.name, batch)


async def test_batches_write_delete_and_get(table: Table) -> None:
    items = [{**key(f"{number}", "a#"), "n": {"N": str(number)}} for number in range(5)]
    await table.dynamodb.batch_write(table.name, items)
    await table.dynamodb.batch_write(table.name, deletes=[key("0", "a#"), key("none", "a#")])
    found, left = await table.dynamodb.batch_get(table.name, [key(f"{number}", "a#") for number in range(5)])
    assert left == []
    assert sorted(found, key=lambda item: str(item["n"]["N"])) == items[1:]


async def test_an_item_above_400_kb_is_the_records_fault(table: Table) -> None:
    too_large = {**key("1", "a#"), "body": {"B": b"x" * 410_000}}
    with pytest.raises(InvalidRecord) as raised:
        await table.dynamodb.put_item(table.name, too_large)
    assert raised.value.reason == "too_large"
    await table.put("1", "a#", body={"B": b"x" * 400_000})
    with pytest.raises(InvalidRecord):
        await table.dynamodb.update_item(
            table.name, key("1", "a#"), "SET more = :m", values={":m": {"B": b"x" * 20_000}}
        )


async def test_a_call_that_can_never_work_is_refused(table: Table) -> None:
    with pytest.raises(Refused):
        await table.dynamodb.put_item(table.name, {"other": {"S": "x"}})
    with pytest.raises(Refused):
        await table.dynamodb.query(table.name, "order_id = :o", {":o": {"S": "1"}}, index="no_such_index")


async def test_what_is_not_there_is_missing(table: Table) -> None:
    with pytest.raises(MissingResource):
        await table.dynamodb.put_item("no-such-table", key("1", "a#"))
    with pytest.raises(MissingResource):
        await table.dynamodb.get_item("no-such-table", key("1", "a#"))
    assert await table.dynamodb.table_status("no-such-table") is None


async def test_creating_twice_and_deleting_nothing_are_harmless(table: Table) -> None:
    assert await table.dynamodb.create_table(table.name, Key("order_id"), Key("part")) is False
    await table.dynamodb.delete_table("no-such-table")


async def test_a_transaction_writes_all_or_nothing(table: Table) -> None:
    first = Put(table.name, {**key("1", "a#"), "n": {"N": "1"}}, ABSENT)
    second = Update(
        table.name,
        key("2", "a#"),
        "SET told = :told, version = if_not_exists(version, :none) + :one",
        values={":told": {"S": "x"}, ":none": {"N": "0"}, ":one": {"N": "1"}},
    )
    await table.dynamodb.transact([first, second])
    found = await table.dynamodb.get_item(table.name, key("2", "a#"))
    assert found == {**key("2", "a#"), "told": {"S": "x"}, "version": {"N": "1"}}
    with pytest.raises(ConditionFailed) as raised:
        await table.dynamodb.transact([second, first])
    assert raised.value.index == 1
    assert await table.dynamodb.get_item(table.name, key("2", "a#")) == found


async def test_of_many_transactions_on_one_item_one_wins(table: Table) -> None:
    async def insert(number: int) -> bool:
        item = {**key("1", "a#"), "who": {"N": str(number)}}
        beside = Put(table.name, key(f"beside-{number}", "a#"))
        try:
            await table.dynamodb.transact([Put(table.name, item, ABSENT), beside])
        except (ConditionFailed, Throttled):
            return False
        return True

    won = await asyncio.gather(*(insert(number) for number in range(8)))
    assert sum(won) == 1
    stored = [item async for item in table.dynamodb.scan(table.name)]
    assert sorted(item["order_id"]["S"] for item in stored) == ["1", f"beside-{won.index(True)}"]


async def test_a_transaction_of_nothing_or_of_too_much_is_refused(table: Table) -> None:
    for count in (0, 101):
        with pytest.raises(ValueError, match="1 to 100"):
            await table.dynamodb.transact([Put(table.name, key(str(at), "a#")) for at in range(count)])
    with pytest.raises(Refused):
        await table.dynamodb.transact([Put(table.name, key("1", "a#"))] * 2)
