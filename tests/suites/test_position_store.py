"""What every PositionStore promises, over memory and over the real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.tail.dynamodb_positions import DynamoDBPositions
from services.kernel.tail.positions import Entry, LeaseLost, PositionStore
from services.kernel.tail.prefix import Mark
from tests.memory.positions import MemoryPositions

NEW = Entry("shop/ä.csv", owner="one", counter=1)


@pytest.fixture(params=["memory", "dynamodb"])
async def store(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[PositionStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryPositions()
        return
    table = f"{namespace}-positions"
    async with DynamoDB.open(request.getfixturevalue("dynamodb_endpoint"), "us-east-1") as dynamodb:
        await dynamodb.create_table(table, Key("file"))
        yield DynamoDBPositions(dynamodb, table, lambda: "2011-12-10T00:00:00.000Z")
        await dynamodb.delete_table(table)


async def test_what_was_written_is_read(store: PositionStore) -> None:
    assert await store.load(NEW.key) is None
    await store.swap(NEW, None)
    assert await store.load(NEW.key) == NEW
    free = Entry(NEW.key, Mark(2**40, "ab" * 32), "paused", None, 2)
    await store.swap(free, 1)
    assert await store.load(NEW.key) == free


async def test_only_one_creates(store: PositionStore) -> None:
    await store.swap(NEW, None)
    with pytest.raises(LeaseLost):
        await store.swap(replace(NEW, owner="two"), None)
    assert await store.load(NEW.key) == NEW


async def test_a_counter_that_went_on_fences_the_old_owner(store: PositionStore) -> None:
    await store.swap(NEW, None)
    taken = replace(NEW, owner="two", counter=2)
    await store.swap(taken, 1)
    with pytest.raises(LeaseLost):
        await store.swap(replace(NEW, position=Mark(5, "x"), counter=2), 1)
    assert await store.load(NEW.key) == taken


async def test_a_repeat_of_the_same_write_succeeds(store: PositionStore) -> None:
    for _ in range(2):
        await store.swap(NEW, None)
    moved = replace(NEW, position=Mark(5, "x"), counter=2)
    for _ in range(2):
        await store.swap(moved, 1)
    assert await store.load(NEW.key) == moved


async def test_a_write_to_an_entry_that_is_not_there_is_refused(store: PositionStore) -> None:
    with pytest.raises(LeaseLost):
        await store.swap(replace(NEW, counter=8), 7)
    assert await store.load(NEW.key) is None
