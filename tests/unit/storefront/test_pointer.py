"""The version in service is looked at once for all, not too often, and kept when it cannot be read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.recommendations import Recommendations
from services.kernel.core.errors import Throttled, Unavailable
from services.storefront.metrics import StorefrontMetrics
from services.storefront.pointer import Pointer, PointerReader, pointer

TIME = "2011-12-10T00:00:00.000Z"


class Table:
    """A pointer and everybody's lists that a test sets."""

    def __init__(self, version: str | None) -> None:
        self.version = version
        self.looks = 0
        self.lists = 0
        self.error: Exception | None = None
        self.lists_error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self) -> Pointer | None:
        self.looks += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return None if self.version is None else Pointer(self.version, TIME)

    async def everywhere(self, version: str) -> Recommendations:
        self.lists += 1
        if self.lists_error is not None:
            raise self.lists_error
        return Recommendations(subject="everywhere", description=version, country=None, lists=[])


class Clock:
    """Seconds that a test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def a_reader(table: Table, clock: Clock, metrics: StorefrontMetrics | None = None) -> PointerReader:
    return PointerReader(
        table.read, table.everywhere, 2.0, metrics or StorefrontMetrics(process=False), clock
    )


async def version(reader: PointerReader) -> tuple[str | None, bool]:
    known = await reader.current()
    if known.service is None:
        return None, known.certain
    assert known.service.everywhere.description == known.service.version
    return known.service.version, known.certain


async def test_a_look_counts_for_its_age_and_a_flip_is_seen_after_it() -> None:
    table, clock = Table("1"), Clock()
    reader = a_reader(table, clock)
    assert await version(reader) == ("1", True)
    table.version = "2"
    clock.now_s += 1.99
    assert await version(reader) == ("1", True)
    assert table.looks == 1
    clock.now_s += 0.01
    assert await version(reader) == ("2", True)
    assert (table.looks, table.lists) == (2, 2)
    clock.now_s += 2
    assert await version(reader) == ("2", True)
    assert (table.looks, table.lists) == (3, 2)


async def test_who_comes_while_somebody_looks_waits_for_that_look() -> None:
    table, clock = Table("1"), Clock()
    reader = a_reader(table, clock)
    table.gate.clear()
    calls = [asyncio.create_task(version(reader)) for _ in range(50)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    table.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    assert await asyncio.gather(*calls[1:]) == [("1", True)] * 49
    assert table.looks == 1


async def test_a_second_look_begins_after_it_was_asked_for_and_serves_all_who_wait() -> None:
    table, clock = Table("1"), Clock()
    reader = a_reader(table, clock)
    table.gate.clear()
    first = asyncio.create_task(reader.current())
    await asyncio.sleep(0)
    second = [asyncio.create_task(reader.again()) for _ in range(20)]
    await asyncio.sleep(0)
    table.gate.set()
    await asyncio.gather(first, *second)
    assert table.looks == 2


async def test_what_cannot_be_read_stays_as_it_was_known_and_is_not_asked_for_at_once() -> None:
    table, clock = Table("1"), Clock()
    reader = a_reader(table, clock)
    await reader.current()
    table.error = Throttled("slow down")
    clock.now_s += 2
    assert [await version(reader) for _ in range(10)] == [("1", False)] * 10
    assert table.looks == 2
    table.error = None
    clock.now_s += 2
    assert await version(reader) == ("1", True)


async def test_a_version_is_taken_over_with_its_list_for_everybody_or_not_at_all() -> None:
    table, clock = Table("1"), Clock()
    reader = a_reader(table, clock)
    await reader.current()
    table.version, table.lists_error = "2", Unavailable("away")
    clock.now_s += 2
    assert await version(reader) == ("1", False)
    table.lists_error = None
    clock.now_s += 2
    assert await version(reader) == ("2", True)


async def test_a_pointer_that_is_gone_is_no_pointer_that_never_was() -> None:
    table, clock = Table(None), Clock()
    reader = a_reader(table, clock)
    assert await version(reader) == (None, True)
    table.version = "1"
    clock.now_s += 2
    assert await version(reader) == ("1", True)
    table.version = None
    clock.now_s += 2
    assert await version(reader) == ("1", False)


async def test_nothing_known_and_nothing_to_be_read_is_nothing() -> None:
    table = Table("1")
    table.error = Unavailable("away")
    assert await version(a_reader(table, Clock())) == (None, False)


async def test_metrics_tell_flips_age_and_training() -> None:
    table, clock, metrics = Table("1"), Clock(), StorefrontMetrics(process=False)
    reader = a_reader(table, clock, metrics)

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"cadabra_storefront_{name}")

    assert value("pointer_age_seconds") == float("inf")
    await reader.current()
    table.error = Unavailable("away")
    clock.now_s += 3
    await reader.current()
    assert (value("pointer_age_seconds"), value("flips_total")) == (3, 1)
    assert value("trained_until_seconds") == 1323475200


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"serving": {"S": ""}, "trained_until": {"S": TIME}},
        {"serving": {"N": "1"}, "trained_until": {"S": TIME}},
        {"serving": {"S": "1"}},
        {"serving": {"S": "1"}, "trained_until": {"S": "yesterday"}},
        {"serving": {"S": "1"}, "trained_until": {"N": "1"}},
    ],
)
def test_an_item_that_is_no_pointer_counts_as_none_that_can_be_read(item: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        pointer(item)


def test_an_item_is_read() -> None:
    item = {"serving": {"S": "1"}, "trained_until": {"S": TIME}, "previous": {"S": "0"}}
    assert pointer(item) == Pointer("1", TIME)
    assert pointer(None) is None
