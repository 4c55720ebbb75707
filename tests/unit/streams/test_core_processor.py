"""`per_record`: order within a key, room for others, and every way a record can end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from services.kernel.core.errors import InvalidRecord, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.processor import per_record
from services.kernel.streams.records import Record
from tests.unit.streams.deliveries import TIMEOUT_S, Given, deliveries, drained, settled

FAST = Retry(base_s=0.001, cap_s=0.001)


class Gate:
    """A handler whose records wait until they are let go; says which ones are at work."""

    def __init__(self) -> None:
        self.at_work: list[int] = []
        self._open: dict[int, asyncio.Event] = {}

    async def __call__(self, record: Record) -> None:
        number = record.sequence_number
        self.at_work.append(number)
        try:
            await self._open.setdefault(number, asyncio.Event()).wait()
        finally:
            self.at_work.remove(number)

    async def let(self, *numbers: int) -> None:
        for number in numbers:
            self._open.setdefault(number, asyncio.Event()).set()
        await settled()


def raising(errors: dict[int, Sequence[Exception]]) -> Callable[[Record], Awaitable[None]]:
    left = {number: iter(each) for number, each in errors.items()}

    async def handle(record: Record) -> None:
        error = next(left.get(record.sequence_number, iter(())), None)
        if error is not None:
            raise error

    return handle


async def test_within_a_key_one_after_another_and_keys_side_by_side() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate)("s")
    await processor.process(deliveries(told, "a", "b", "a", "b"))
    await settled()
    assert sorted(gate.at_work) == [1, 2]
    await gate.let(2)
    assert sorted(gate.at_work) == [1, 4]
    await gate.let(1, 3, 4)
    await drained(processor)
    assert told == ["done 2", "done 1", "done 4", "done 3"] or sorted(told) == [
        f"done {n}" for n in (1, 2, 3, 4)
    ]
    assert told.index("done 1") < told.index("done 3")


async def test_records_of_a_key_that_come_while_it_is_at_work_wait_their_turn() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate)("s")
    await processor.process(deliveries(told, "a"))
    await settled()
    await processor.process(deliveries(told, "a", first=2))
    await settled()
    assert gate.at_work == [1]
    await gate.let(1, 2)
    await drained(processor)
    assert told == ["done 1", "done 2"]


async def test_a_key_comes_again_after_it_was_done() -> None:
    told: list[str] = []
    processor = per_record(raising({}))("s")
    for first in (1, 2, 3):
        await processor.process(deliveries(told, "a", first=first))
        await drained(processor)
    assert told == ["done 1", "done 2", "done 3"]


async def test_the_bound_on_records_at_work_holds_over_all_shards() -> None:
    gate, told = Gate(), list[str]()
    factory = per_record(gate, concurrency=3)
    first, second = factory("s"), factory("t")
    await first.process(deliveries(told, "a", "b"))
    await second.process(deliveries(told, "c", "d", first=3))
    await settled()
    assert len(gate.at_work) == 3
    await gate.let(1, 2, 3, 4)
    await drained(first)
    await drained(second)
    assert len(told) == 4


async def test_so_many_are_at_work_unless_told_otherwise() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate)("s")
    await processor.process(deliveries(told, *(f"k{n}" for n in range(40))))
    await settled()
    assert len(gate.at_work) == 32
    processor.cancel()


async def test_a_bad_record_is_rejected_and_its_key_goes_on() -> None:
    told: list[str] = []
    processor = per_record(raising({1: [InvalidRecord("invalid_json", "no")]}))("s")
    await processor.process(deliveries(told, "a", "a"))
    await drained(processor)
    assert told == ["rejected 1 invalid_json", "done 2"]


async def test_a_sink_that_is_away_is_waited_for() -> None:
    told: list[str] = []
    processor = per_record(raising({1: [Unavailable("away")] * 3}), retry=FAST)("s")
    await processor.process(deliveries(told, "a", "a"))
    await drained(processor)
    assert told == ["waiting 1 Unavailable"] * 3 + ["done 1", "done 2"]


async def test_a_bug_is_told_and_nothing_of_its_key_follows() -> None:
    told: list[str] = []
    processor = per_record(raising({1: [ZeroDivisionError()]}))("s")
    await processor.process(deliveries(told, "a", "a", "b"))
    await drained(processor)
    assert sorted(told) == ["done 3", "failed 1 ZeroDivisionError"]


async def test_a_drain_with_nothing_at_work_returns_at_once() -> None:
    await drained(per_record(raising({}))("s"))


async def test_a_drain_waits_for_everything_taken_on() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate)("s")
    await processor.process(deliveries(told, "a", "a", "b"))
    drain = asyncio.create_task(processor.drain())
    await settled()
    await gate.let(1, 3)
    assert not drain.done()
    await gate.let(2)
    await asyncio.wait_for(drain, TIMEOUT_S)
    assert sorted(told) == ["done 1", "done 2", "done 3"]


async def test_a_lost_lease_stops_what_is_at_work_and_acknowledges_nothing() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate)("s")
    await processor.process(deliveries(told, "a", "a", "b"))
    await settled()
    processor.cancel()
    await settled()
    assert (gate.at_work, told) == ([], [])
    await drained(processor)


@pytest.mark.parametrize("error", [ValueError(), KeyError("a")])
async def test_a_bug_in_one_key_leaves_room_for_others(error: Exception) -> None:
    told: list[str] = []
    processor = per_record(raising({1: [error]}), concurrency=1)("s")
    await processor.process(deliveries(told, "a", "b"))
    await drained(processor)
    assert "done 2" in told


async def test_a_record_that_waits_for_a_slot_has_no_task() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate, concurrency=2)("s")
    before = len(asyncio.all_tasks())
    await processor.process(deliveries(told, *(f"k{n}" for n in range(50))))
    await settled()
    assert len(asyncio.all_tasks()) == before + 2
    processor.cancel()


async def test_records_that_wait_begin_in_the_order_in_which_they_came_whatever_their_shard() -> None:
    gate, told = Gate(), list[str]()
    factory = per_record(gate, concurrency=1)
    first, second = factory("s"), factory("t")
    await first.process(deliveries(told, "a", "b"))
    await second.process(deliveries(told, "c", first=3))
    await first.process(deliveries(told, "a", first=4))
    await gate.let(1, 2, 3, 4)
    await drained(first)
    await drained(second)
    assert told == ["done 1", "done 2", "done 3", "done 4"]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_shard_that_is_lost_gives_its_slots_to_others_and_leaves_nothing_waiting(begun: bool) -> None:
    gate, told = Gate(), list[str]()
    factory = per_record(gate, concurrency=1)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a", "b"))
    await kept.process(deliveries(told, "c", first=3))
    if begun:
        await settled()
    lost.cancel()
    await gate.let(1, 2, 3)
    await drained(lost)
    await drained(kept)
    assert told == ["done 3"]


async def test_a_dead_letter_that_cannot_be_kept_is_told_as_a_bug() -> None:
    told: list[str] = []

    class Unkept(Given):
        async def reject(self, error: InvalidRecord) -> None:
            raise OSError(str(error))

    processor = per_record(raising({1: [InvalidRecord("invalid_json", "no")]}))("s")
    await processor.process([Unkept("a", 1, told), Given("a", 2, told)])
    await drained(processor)
    assert told == ["failed 1 OSError"]


async def test_a_slot_that_nobody_waited_for_is_one_slot_again() -> None:
    gate, told = Gate(), list[str]()
    processor = per_record(gate, concurrency=1)("s")
    await processor.process(deliveries(told, "a"))
    await gate.let(1)
    await drained(processor)
    await processor.process(deliveries(told, "b", "c", first=2))
    await settled()
    assert gate.at_work == [2]
    processor.cancel()


async def test_a_drain_waits_for_records_that_wait_for_a_slot_of_another_shard() -> None:
    gate, told = Gate(), list[str]()
    factory = per_record(gate, concurrency=1)
    first, second = factory("s"), factory("t")
    await first.process(deliveries(told, "a"))
    await second.process(deliveries(told, "c", first=2))
    await first.process(deliveries(told, "b", first=3))
    drain = asyncio.create_task(first.drain())
    await gate.let(1)
    assert gate.at_work == [2]
    assert not drain.done()
    await gate.let(2, 3)
    await asyncio.wait_for(drain, TIMEOUT_S)
    await drained(second)
    assert told == ["done 1", "done 2", "done 3"]


async def test_a_shard_that_is_lost_before_anything_of_it_began_is_drained_at_once() -> None:
    gate, told = Gate(), list[str]()
    factory = per_record(gate, concurrency=1)
    kept, lost = factory("s"), factory("t")
    await kept.process(deliveries(told, "a"))
    await lost.process(deliveries(told, "b", first=2))
    lost.cancel()
    await drained(lost)
    kept.cancel()
