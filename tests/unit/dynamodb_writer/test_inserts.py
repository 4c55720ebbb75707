"""Inserts gather only while calls are under way, and each gets its own outcome whatever becomes of its company."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from services.dynamodb_writer import inserts
from services.dynamodb_writer.inserts import FEWEST_CALLS, Inserts
from services.dynamodb_writer.metrics import WriterMetrics
from services.kernel.adapters.dynamodb import Item, Key
from services.kernel.core.errors import (
    CadabraError,
    InvalidRecord,
    Misconfigured,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)
from tests.memory.dynamodb import MemoryDynamoDB

TABLE = "t-order_history"


class Watched(MemoryDynamoDB):
    """Remembers how many items each call carried, and may hold the calls until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.carried: list[int] = []
        self.held: asyncio.Event | None = None

    async def put_item(self, table: str, item: Mapping[str, Any], *rest: Any, **more: Any) -> None:
        self.carried.append(1)
        await self._wait()
        await super().put_item(table, item, *rest, **more)

    async def insert_batch(self, table: str, items: Sequence[Mapping[str, Any]]) -> list[CadabraError | None]:
        self.carried.append(len(items))
        await self._wait()
        return await super().insert_batch(table, items)

    async def _wait(self) -> None:
        if self.held is not None:
            await self.held.wait()


class Bench:
    """Inserts over a table in memory."""

    def __init__(self, per_call: int = 25, at_once: int = 32) -> None:
        self.dynamodb = Watched()
        self.metrics = WriterMetrics()
        self.inserts = Inserts(self.dynamodb, TABLE, per_call, at_once, self.metrics)

    async def open(self) -> Bench:
        await self.dynamodb.create_table(TABLE, Key("order_id"), Key("part"))
        return self

    async def insert(self, *made: Item) -> list[Any]:
        return await asyncio.gather(*(self.inserts.insert(one) for one in made), return_exceptions=True)

    async def stored(self) -> set[str]:
        return {item["order_id"]["S"] async for item in self.dynamodb.scan(TABLE)}

    def count(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"cadabra_dynamodb_writer_{name}_total")


def item(number: int, size_bytes: int = 10, event_id: str = "e") -> Item:
    return {
        "order_id": {"S": str(number)},
        "part": {"S": "a#"},
        "event_id": {"S": event_id},
        "body": {"B": b"x" * size_bytes},
    }


def failing(error: CadabraError, *operations: str, times: int = 1) -> Any:
    left = [error] * times
    return lambda operation: left.pop() if operation in operations and left else None


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lone_insert_leaves_at_once_as_a_put() -> None:
    bench = await Bench().open()
    assert await bench.insert(item(1)) == [None]
    assert bench.dynamodb.carried == [1]


async def test_what_is_ready_together_goes_together() -> None:
    bench = await Bench().open()
    assert await bench.insert(*(item(n) for n in range(30))) == [None] * 30
    assert bench.dynamodb.carried == [25, 5]
    assert len(await bench.stored()) == 30
    assert bench.count("insert_calls") == 2


async def test_inserts_gather_while_every_call_is_under_way() -> None:
    bench = await Bench().open()
    bench.dynamodb.held = asyncio.Event()
    waiting = []
    for number in range(FEWEST_CALLS + 10):
        waiting.append(asyncio.create_task(bench.inserts.insert(item(number))))
        await settled()
    assert bench.dynamodb.carried == [1] * FEWEST_CALLS
    bench.dynamodb.held.set()
    assert await asyncio.gather(*waiting) == [None] * len(waiting)
    assert bench.dynamodb.carried == [1] * FEWEST_CALLS + [10]


async def test_many_at_once_may_have_as_many_calls_as_they_fill() -> None:
    bench = await Bench(per_call=25, at_once=1_000).open()
    bench.dynamodb.held = asyncio.Event()
    inserting = asyncio.create_task(bench.insert(*(item(n) for n in range(1_000))))
    await settled()
    assert bench.dynamodb.carried == [25] * 40
    bench.dynamodb.held.set()
    assert await inserting == [None] * 1_000


async def test_one_a_call_is_a_put_each() -> None:
    bench = await Bench(per_call=1).open()
    assert await bench.insert(*(item(n) for n in range(8))) == [None] * 8
    assert bench.dynamodb.carried == [1] * 8


async def test_a_call_carries_no_more_bytes_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserts, "MAX_BYTES_PER_CALL", 100_000)
    bench = await Bench().open()
    made = [item(n, 30_000) for n in range(4)]
    await bench.insert(*made, item(4, 150_000), item(5))
    assert bench.dynamodb.carried == [2, 2, 1, 1]


async def test_who_finds_its_key_taken_gets_what_stands_there_and_others_are_stored() -> None:
    bench = await Bench().open()
    await bench.insert(item(1, event_id="first"))
    outcomes = await bench.insert(item(0), item(1, event_id="second"), item(2))
    assert outcomes == [None, item(1, event_id="first"), None]
    assert await bench.insert(item(2, event_id="alone")) == [item(2)]


async def test_of_two_with_one_key_the_first_is_stored_and_the_second_told() -> None:
    bench = await Bench().open()
    outcomes = await bench.insert(
        item(0), item(1, event_id="first"), item(2), item(1, event_id="second"), item(3)
    )
    assert [outcome if outcome is None else outcome["event_id"] for outcome in outcomes] == [
        None,
        None,
        None,
        {"S": "first"},
        None,
    ]
    assert bench.dynamodb.carried == [3, 2]


async def test_one_throttled_insert_of_a_call_is_tried_again_alone_by_who_asked() -> None:
    bench = await Bench().open()
    bench.dynamodb.fault = failing(Throttled("slow"), "insert")
    outcomes = await bench.insert(*(item(n) for n in range(5)))
    assert [type(one) for one in outcomes].count(Throttled) == 1
    assert len(await bench.stored()) == 4
    assert bench.count("throttled_puts") == 1


async def test_a_call_that_fails_is_told_to_all_it_carried() -> None:
    bench = await Bench().open()
    bench.dynamodb.fault_after = failing(TimedOut("no answer"), "batch_execute_statement")
    outcomes = await bench.insert(*(item(n) for n in range(3)))
    assert [type(one) for one in outcomes] == [TimedOut] * 3
    assert await bench.insert(*(item(n) for n in range(3))) == [item(n) for n in range(3)]


@pytest.mark.parametrize("error", [Refused("no"), InvalidRecord("too_large", "no")])
async def test_a_call_refused_as_a_whole_goes_one_by_one(error: CadabraError) -> None:
    bench = await Bench().open()
    bench.dynamodb.fault = failing(error, "batch_execute_statement")
    outcomes = await bench.insert(item(0), item(1, 500_000), item(2))
    assert isinstance(outcomes.pop(1), InvalidRecord)
    assert outcomes == [None, None]
    assert await bench.stored() == {"0", "2"}


@pytest.mark.parametrize("operation", ["batch_execute_statement", "insert"])
async def test_a_role_that_may_not_insert_goes_on_with_puts(operation: str) -> None:
    bench = await Bench().open()
    bench.dynamodb.fault = failing(Misconfigured("not authorized"), operation, times=100)
    assert await bench.insert(*(item(n) for n in range(3))) == [None] * 3
    assert await bench.insert(*(item(n) for n in range(3, 6))) == [None] * 3
    assert len(await bench.stored()) == 6
    assert bench.dynamodb.carried[-3:] == [1, 1, 1]


async def test_an_insert_that_is_cancelled_before_it_leaves_is_withdrawn() -> None:
    bench = await Bench().open()
    bench.dynamodb.held = asyncio.Event()
    first = asyncio.create_task(bench.insert(*(item(n) for n in range(FEWEST_CALLS * 25))))
    await settled()
    withdrawn = asyncio.create_task(bench.inserts.insert(item(1_000)))
    kept = asyncio.create_task(bench.inserts.insert(item(1_001)))
    await settled()
    withdrawn.cancel()
    bench.dynamodb.held.set()
    assert await kept is None
    await first
    assert "1000" not in await bench.stored()


async def test_who_is_cancelled_under_way_takes_nobody_with_it() -> None:
    bench = await Bench().open()
    bench.dynamodb.held = asyncio.Event()
    tasks = [asyncio.create_task(bench.inserts.insert(item(n))) for n in range(3)]
    await settled()
    tasks[1].cancel()
    bench.dynamodb.held.set()
    assert [await tasks[0], await tasks[2]] == [None, None]


async def test_an_item_that_was_in_the_way_and_is_gone_is_tried_again() -> None:
    bench = await Bench().open()
    await bench.insert(item(1))

    async def nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    bench.dynamodb.get_item = nothing  # type: ignore[method-assign]
    outcomes = await bench.insert(item(0), item(1))
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Unavailable)
