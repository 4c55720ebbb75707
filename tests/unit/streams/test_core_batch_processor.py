"""`per_batch`: how batches form, and every way a record, a batch and a shard can end. All in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from services.kernel.core.errors import InvalidRecord, Throttled, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.batch_processor import BatchOutcome, per_batch
from services.kernel.streams.processor import ProcessorFactory
from services.kernel.streams.records import Record
from tests.simulation.virtual_loop import VirtualLoop, run
from tests.unit.streams.deliveries import Given, deliveries, drained, settled

BAD = InvalidRecord("contract_violation", "no")
AWAY = Unavailable("away")


class Fixed(Retry):
    """Pauses for 1, 2, 4, … seconds, so that a test can say when what comes again."""

    def delay_s(self, attempt: int) -> float:
        return 2.0**attempt


class Sink:
    """A batch handler that writes down each batch and when it came.

    Args:
        takes_s: seconds that each batch takes.
        answers: for a record's number what each of its tries gives, one after another; then it succeeds.
    """

    def __init__(self, takes_s: float = 0.0, answers: dict[int, Sequence[Any]] | None = None) -> None:
        self.takes_s = takes_s
        self.batches: list[list[int]] = []
        self.came_s: list[float] = []
        self.at_work = 0
        self.most_at_work = 0
        self._answers = {number: iter(each) for number, each in (answers or {}).items()}

    async def __call__(self, records: Sequence[Record]) -> Sequence[BatchOutcome]:
        self.batches.append([record.sequence_number for record in records])
        self.came_s.append(asyncio.get_running_loop().time())
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.at_work -= 1
        return [next(self._answers.get(record.sequence_number, iter(())), None) for record in records]


def batches_of(
    handle: Callable[[Sequence[Record]], Awaitable[Sequence[BatchOutcome]]],
    max_records: int = 100,
    max_bytes: int = 1_000,
    linger_s: float = 0.0,
    concurrency: int = 1,
) -> ProcessorFactory:
    return per_batch(
        handle,
        max_records=max_records,
        max_bytes=max_bytes,
        linger_s=linger_s,
        concurrency=concurrency,
        retry=Fixed(),
    )


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def main(_loop: VirtualLoop) -> None:
        await asyncio.sleep(100)  # the clock never began at nought
        await test()

    def test_in_virtual_time() -> None:
        run(main)

    return test_in_virtual_time


def keys(count: int) -> list[str]:
    return [f"k{number}" for number in range(count)]


# How batches form


@in_virtual_time
async def test_what_comes_together_is_one_batch_and_each_is_acknowledged() -> None:
    sink, told = Sink(), list[str]()
    processor = batches_of(sink)("s")
    await processor.process(deliveries(told, "a", "a", "b"))
    await drained(processor)
    assert sink.batches == [[1, 2, 3]]
    assert told == ["done 1", "done 2", "done 3"]


@in_virtual_time
async def test_nothing_is_handled_where_nothing_came() -> None:
    sink = Sink()
    processor = batches_of(sink)("s")
    await processor.process([])
    await drained(processor)
    assert sink.batches == []


@in_virtual_time
async def test_a_batch_holds_so_many_records_at_most_and_a_full_one_does_not_linger() -> None:
    sink, told = Sink(), list[str]()
    processor = batches_of(sink, max_records=2, linger_s=50)("s")
    await processor.process(deliveries(told, *keys(5)))
    await settled()
    assert (sink.batches, sink.came_s) == ([[1, 2], [3, 4]], [100, 100])
    await processor.process(deliveries(told, "k5", first=6))
    await settled()
    assert sink.batches == [[1, 2], [3, 4], [5, 6]]
    processor.cancel()


@in_virtual_time
async def test_a_batch_holds_so_many_bytes_at_most_and_a_full_one_does_not_linger() -> None:
    sink, told = Sink(), list[str]()
    processor = batches_of(sink, max_bytes=10, linger_s=50)("s")
    await processor.process([Given("k1", 1, told, b"four"), Given("k2", 2, told, b"fives")])
    await settled()
    assert sink.batches == []
    await processor.process([Given("k3", 3, told, b"1")])
    await settled()
    assert sink.batches == [[1, 2, 3]]
    await processor.process([Given(f"k{n}", n, told, b"four") for n in (4, 5, 6)])
    await settled()
    assert sink.batches == [[1, 2, 3], [4, 5]]
    await processor.process([Given("k7", 7, told, b"fives")])
    await settled()
    assert sink.batches == [[1, 2, 3], [4, 5]]
    await processor.process([Given("k8", 8, told, b"1")])
    await settled()
    assert sink.batches == [[1, 2, 3], [4, 5], [6, 7, 8]]
    processor.cancel()


@in_virtual_time
async def test_a_record_larger_than_a_batch_goes_alone() -> None:
    sink, told = Sink(), list[str]()
    processor = batches_of(sink, max_bytes=10)("s")
    sizes = [4, 40, 4, 4]
    await processor.process([Given(f"k{n}", n, told, bytes(size)) for n, size in enumerate(sizes, 1)])
    await drained(processor)
    assert sink.batches == [[1], [2], [3, 4]]


@in_virtual_time
async def test_a_batch_that_is_not_full_waits_for_others_as_long_as_its_first_lingers() -> None:
    sink, told = Sink(), list[str]()
    factory = batches_of(sink, linger_s=5)
    first, second = factory("s"), factory("t")
    await first.process(deliveries(told, "a"))
    await asyncio.sleep(3)
    await second.process(deliveries(told, "b", first=2))
    await asyncio.sleep(1.75)
    assert sink.batches == []
    await asyncio.sleep(0.5)
    assert (sink.batches, sink.came_s) == ([[1, 2]], [105])
    await first.process(deliveries(told, "c", first=3))
    await asyncio.sleep(4.8)
    assert len(sink.batches) == 1
    await asyncio.sleep(1)
    assert (sink.batches[1:], sink.came_s[1:]) == ([[3]], [110.25])


@in_virtual_time
async def test_what_waited_for_a_slot_has_lingered_meanwhile() -> None:
    sink, told = Sink(takes_s=10), list[str]()
    processor = batches_of(sink, linger_s=4, max_records=2)("s")
    await processor.process(deliveries(told, "a", "b", "c"))
    await asyncio.sleep(9)
    await processor.process(deliveries(told, "d", first=4))
    await asyncio.sleep(20)
    assert (sink.batches, sink.came_s) == ([[1, 2], [3, 4]], [100, 110])


@in_virtual_time
async def test_of_what_came_while_no_slot_was_free_the_first_says_when_to_begin() -> None:
    sink, told = Sink(takes_s=3), list[str]()
    processor = batches_of(sink, linger_s=4, max_records=3)("s")
    await processor.process(deliveries(told, *keys(3)))
    for number in (4, 5):
        await asyncio.sleep(1)
        await processor.process(deliveries(told, "k", first=number))
    await asyncio.sleep(20)
    assert (sink.batches, sink.came_s) == ([[1, 2, 3], [4, 5]], [100, 105])


@in_virtual_time
async def test_what_is_left_of_a_full_batch_lingers_from_when_it_came() -> None:
    sink, told = Sink(), list[str]()
    processor = batches_of(sink, linger_s=4, max_records=2)("s")
    await processor.process(deliveries(told, "a"))
    await asyncio.sleep(1)
    await processor.process(deliveries(told, "b", "c", first=2))
    await asyncio.sleep(10)
    assert (sink.batches, sink.came_s) == ([[1, 2], [3]], [101, 105])


@in_virtual_time
async def test_the_bound_on_batches_at_work_holds_over_all_shards() -> None:
    sink, told = Sink(takes_s=1), list[str]()
    factory = batches_of(sink, max_records=1, concurrency=3)
    first, second = factory("s"), factory("t")
    await first.process(deliveries(told, *keys(5)))
    await second.process(deliveries(told, *keys(5), first=6))
    await drained(first)
    await drained(second)
    assert sink.most_at_work == 3
    assert sink.batches == [[number] for number in range(1, 11)]
    assert sink.came_s == [100] * 3 + [101] * 3 + [102] * 3 + [103]


@in_virtual_time
async def test_what_waits_has_no_task() -> None:
    sink, told = Sink(takes_s=1), list[str]()
    processor = batches_of(sink, max_records=1, concurrency=2)("s")
    before = len(asyncio.all_tasks())
    await processor.process(deliveries(told, *keys(50)))
    await settled()
    assert len(asyncio.all_tasks()) == before + 2
    processor.cancel()


@in_virtual_time
async def test_a_record_read_with_care_comes_alone_and_at_once() -> None:
    sink, told = Sink(answers={3: [AWAY]}), list[str]()
    factory = batches_of(sink, linger_s=5)
    careful, other = factory("s"), factory("t")
    await other.process(deliveries(told, "a", "b"))
    await careful.process([Given("c", 3, told, alone=True)])
    await settled()
    assert sink.batches == [[3]]
    await asyncio.sleep(3)
    await other.process(deliveries(told, "d", first=4))
    await asyncio.sleep(3)
    assert (sink.batches, sink.came_s) == ([[3], [3], [1, 2, 4]], [100, 101, 105])
    assert told[0] == "waiting 3 Unavailable"


# What becomes of records


@in_virtual_time
async def test_a_bad_record_is_rejected_and_the_others_are_done() -> None:
    sink, told = Sink(answers={2: [BAD]}), list[str]()
    processor = batches_of(sink)("s")
    await processor.process(deliveries(told, "a", "b", "c"))
    await drained(processor)
    assert told == ["done 1", "done 3", "rejected 2 contract_violation"]
    assert sink.batches == [[1, 2, 3]]


@in_virtual_time
async def test_rejections_of_a_batch_are_kept_at_the_same_time() -> None:
    told: list[str] = []

    class Slow(Given):
        async def reject(self, error: InvalidRecord) -> None:
            await asyncio.sleep(1)
            await super().reject(error)

    processor = batches_of(Sink(answers={number: [BAD] for number in range(1, 6)}))("s")
    await processor.process([Slow(key, number, told) for number, key in enumerate(keys(5), 1)])
    began_s = asyncio.get_running_loop().time()
    await drained(processor)
    assert asyncio.get_running_loop().time() - began_s < 2
    assert len(told) == 5


@in_virtual_time
async def test_only_what_is_to_be_tried_again_comes_again_later_each_time_and_with_what_is_new() -> None:
    sink, told = Sink(answers={2: [AWAY, Throttled("slow")], 3: [AWAY]}), list[str]()
    processor = batches_of(sink, linger_s=5)("s")
    await processor.process(deliveries(told, "a", "b", "c"))
    await asyncio.sleep(5.5)
    assert told == ["done 1", "waiting 2 Unavailable", "waiting 3 Unavailable"]
    await processor.process(deliveries(told, "d", first=4))
    await asyncio.sleep(10)
    assert sink.batches == [[1, 2, 3], [2, 4, 3], [2]]
    assert sink.came_s == [105, 106, 108]
    assert told[3:] == ["waiting 2 Throttled", "done 4", "done 3", "done 2"]


@in_virtual_time
async def test_while_others_succeed_a_pause_holds_no_slot() -> None:
    sink, told = Sink(answers={1: [AWAY]}), list[str]()
    processor = batches_of(sink)("s")
    await processor.process(deliveries(told, "a", "b"))
    await asyncio.sleep(0.5)
    await processor.process(deliveries(told, "c", first=3))
    await settled()
    assert (sink.batches, told) == ([[1, 2], [3]], ["waiting 1 Unavailable", "done 2", "done 3"])
    await drained(processor)
    assert sink.batches == [[1, 2], [3], [1]]


@in_virtual_time
async def test_a_sink_that_is_away_is_not_pressed_and_nothing_is_lost() -> None:
    """Of what comes meanwhile as much goes as there are slots, each try later than the one before."""
    told: list[str] = []
    tries_s: list[float] = []
    loop = asyncio.get_running_loop()

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        if loop.time() < 160:
            tries_s.append(loop.time())
            raise AWAY
        return [None] * len(records)

    processor = batches_of(handle, max_records=4)("s")
    for second in range(40):
        await processor.process(deliveries(told, *keys(3), first=3 * second + 1))
        await asyncio.sleep(1)
    assert len(tries_s) < 20
    await asyncio.wait_for(processor.drain(), 1000)
    done = [line for line in told if line.startswith("done")]
    assert sorted(done) == sorted(f"done {number}" for number in range(1, 121))
    assert "waiting 1 Unavailable" in told


@in_virtual_time
async def test_nothing_starves_while_some_records_fail_for_ever() -> None:
    """Of a batch every other place is for what was tried before, and every other for what is new."""
    told: list[str] = []
    batches: list[list[int]] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        batches.append([record.sequence_number for record in records])
        return [AWAY if record.partition_key == "bad" else None for record in records]

    processor = batches_of(handle, max_records=6)("s")
    await processor.process(deliveries(told, *["bad"] * 6))
    await asyncio.sleep(0.5)
    await processor.process(deliveries(told, *keys(9), first=7))
    await asyncio.sleep(0.7)
    assert batches == [
        [1, 2, 3, 4, 5, 6],
        [1, 7, 2, 8, 3, 9],
        [4, 10, 5, 11, 6, 12],
        [13, 14, 15],
    ]
    await asyncio.sleep(8)
    assert batches[4:6] == [[1, 2, 3], [4, 5, 6, 1, 2, 3]]
    processor.cancel()


@in_virtual_time
async def test_one_of_each_kind_goes_where_there_is_only_room_for_that() -> None:
    sink, told = Sink(answers={1: [AWAY], 2: [AWAY]}), list[str]()
    processor = batches_of(sink, max_bytes=10)("s")
    await processor.process([Given("a", 1, told, b"fives"), Given("b", 2, told, b"fives")])
    await asyncio.sleep(0.5)
    await processor.process([Given("c", 3, told, b"fives"), Given("d", 4, told, b"fives")])
    await asyncio.wait_for(processor.drain(), 100)
    assert sink.batches == [[1, 2], [1, 3], [2, 4]]


@in_virtual_time
async def test_pauses_are_those_of_retry_unless_told_otherwise() -> None:
    sink, told = Sink(answers={1: [AWAY]}), list[str]()
    processor = per_batch(sink, max_records=9, max_bytes=99, linger_s=0, concurrency=1)("s")
    await processor.process(deliveries(told, "a"))
    await drained(processor)
    assert told == ["waiting 1 Unavailable", "done 1"]
    assert 100 <= sink.came_s[1] <= 100 + Retry().base_s


@in_virtual_time
async def test_new_records_go_within_one_pause_when_all_that_was_tried_before_fails() -> None:
    told: list[str] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        return [AWAY if record.partition_key == "bad" else None for record in records]

    processor = per_batch(
        handle,
        max_records=4,
        max_bytes=1_000,
        linger_s=0,
        concurrency=2,
        retry=Retry(base_s=5, cap_s=5),
    )("s")
    await processor.process(deliveries(told, *["bad"] * 40))
    await asyncio.sleep(50)
    await processor.process(deliveries(told, "good", "good", first=41))
    await asyncio.sleep(5.1)
    assert [line for line in told if line.startswith("done")] == ["done 41", "done 42"]
    processor.cancel()


# What nobody foresaw


def raising_on(*numbers: int, error: Exception) -> tuple[list[list[int]], Any]:
    batches: list[list[int]] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        batch = [record.sequence_number for record in records]
        batches.append(batch)
        if any(number in batch for number in numbers):
            raise error
        return [None] * len(batch)

    return batches, handle


@in_virtual_time
async def test_of_a_batch_that_raises_the_one_record_to_blame_is_found() -> None:
    told: list[str] = []
    batches, handle = raising_on(3, error=ZeroDivisionError())
    processor = batches_of(handle)("s")
    await processor.process(deliveries(told, *keys(5)))
    await settled()
    assert batches == [[1, 2, 3, 4, 5], [1, 2], [3, 4, 5], [3], [4, 5]]
    assert told == ["done 1", "done 2", "failed 3 ZeroDivisionError", "done 4", "done 5"]


@in_virtual_time
async def test_of_a_batch_that_raises_what_is_only_late_is_not_blamed() -> None:
    told: list[str] = []
    batches: list[list[int]] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        batches.append([record.sequence_number for record in records])
        if any(record.partition_key == "bug" for record in records):
            raise ZeroDivisionError
        return [AWAY if len(batches) < 4 else None for _ in records]

    processor = batches_of(handle)("s")
    await processor.process(deliveries(told, "late", "bug"))
    await drained(processor)
    assert batches == [[1, 2], [1], [2], [1]]
    assert told == ["waiting 1 Unavailable", "failed 2 ZeroDivisionError", "done 1"]


@in_virtual_time
async def test_an_invalid_record_that_is_raised_is_found_and_rejected_alone() -> None:
    told: list[str] = []
    _, handle = raising_on(2, error=BAD)
    processor = batches_of(handle)("s")
    await processor.process(deliveries(told, *keys(3)))
    await drained(processor)
    assert told == ["done 1", "rejected 2 contract_violation", "done 3"]


@in_virtual_time
async def test_a_handler_that_answers_for_another_number_of_records_is_a_bug() -> None:
    told: list[str] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        return [None] * (len(records) - 1)

    processor = batches_of(handle)("s")
    await processor.process(deliveries(told, "a", "b"))
    await drained(processor)
    assert told == ["failed 1 ValueError", "failed 2 ValueError"]


@in_virtual_time
async def test_a_dead_letter_that_cannot_be_kept_is_told_as_a_bug() -> None:
    told: list[str] = []

    class Unkept(Given):
        async def reject(self, error: InvalidRecord) -> None:
            raise OSError(str(error))

    processor = batches_of(Sink(answers={1: [BAD]}))("s")
    await processor.process([Unkept("a", 1, told), Given("b", 2, told)])
    await drained(processor)
    assert told == ["done 2", "failed 1 OSError"]


@in_virtual_time
async def test_an_acknowledgement_that_raises_is_told_as_a_bug() -> None:
    told: list[str] = []

    class Broken(Given):
        def acknowledge(self) -> None:
            raise KeyError

    processor = batches_of(Sink())("s")
    await processor.process([Broken("a", 1, told), Given("b", 2, told)])
    await drained(processor)
    assert told == ["failed 1 KeyError", "done 2"]


@in_virtual_time
async def test_a_slot_whose_batch_failed_is_free_again() -> None:
    told: list[str] = []
    _, handle = raising_on(1, error=KeyError("a"))
    processor = batches_of(handle, max_records=1)("s")
    await processor.process(deliveries(told, "a", "b"))
    await drained(processor)
    assert told == ["failed 1 KeyError", "done 2"]


# Drains and lost leases


@in_virtual_time
async def test_a_drain_does_not_linger_and_waits_for_everything_taken_on() -> None:
    sink, told = Sink(takes_s=1, answers={2: [AWAY]}), list[str]()
    factory = batches_of(sink, linger_s=500, max_records=2)
    first, second = factory("s"), factory("t")
    await second.process(deliveries(told, "c", first=3))
    await first.process(deliveries(told, "a"))
    await first.process(deliveries(told, "b", first=2))
    began_s = asyncio.get_running_loop().time()
    await asyncio.wait_for(first.drain(), 100)
    assert asyncio.get_running_loop().time() - began_s < 10
    assert {"done 1", "done 2"} <= set(told)
    second.cancel()


@in_virtual_time
async def test_a_drain_with_nothing_at_work_returns_at_once() -> None:
    await drained(batches_of(Sink())("s"))


@in_virtual_time
async def test_a_drained_shard_takes_on_again() -> None:
    told: list[str] = []
    processor = batches_of(Sink(), linger_s=5)("s")
    for first in (1, 2):
        await processor.process(deliveries(told, "a", first=first))
        await drained(processor)
    assert told == ["done 1", "done 2"]


@in_virtual_time
async def test_a_lost_lease_stops_what_is_at_work_at_once_and_acknowledges_nothing() -> None:
    sink, told = Sink(takes_s=10), list[str]()
    processor = batches_of(sink, max_records=2)("s")
    await processor.process(deliveries(told, "a", "b", "c"))
    await asyncio.sleep(1)
    processor.cancel()
    await drained(processor)
    await settled()
    assert sink.at_work == 0
    await asyncio.sleep(100)
    assert (sink.batches, told) == ([[1, 2]], [])


@pytest.mark.parametrize("begun", [False, True])
def test_of_a_batch_with_records_of_a_lost_shard_the_others_are_handled_again(begun: bool) -> None:
    async def test() -> None:
        sink, told = Sink(takes_s=10), list[str]()
        factory = batches_of(sink, linger_s=1)
        lost, kept = factory("s"), factory("t")
        await lost.process(deliveries(told, "a"))
        await kept.process(deliveries(told, "b", first=2))
        await asyncio.sleep(1 if begun else 0.5)
        if begun:
            await settled()
            assert sink.batches == [[1, 2]]
        lost.cancel()
        await asyncio.wait_for(kept.drain(), 100)
        assert sink.batches[-1] == [2]
        assert sink.came_s[-1] == (101 if begun else 100.5)
        assert told == ["done 2"]

    in_virtual_time(test)()


@in_virtual_time
async def test_a_handler_that_cannot_be_stopped_speaks_for_the_shards_that_are_left() -> None:
    told: list[str] = []

    async def handle(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return [None, BAD, None][: len(records)]
        raise AssertionError

    factory = batches_of(handle)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a", "b"))
    await settled()
    lost.cancel()
    await settled()
    assert told == []
    await drained(kept)


@in_virtual_time
async def test_a_batch_of_other_shards_is_left_alone_when_a_lease_is_lost() -> None:
    sink, told = Sink(takes_s=10), list[str]()
    factory = batches_of(sink, max_records=1, concurrency=2)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a"))
    await kept.process(deliveries(told, "b", first=2))
    await settled()
    lost.cancel()
    await asyncio.wait_for(kept.drain(), 100)
    assert (sink.batches, told) == ([[1], [2]], ["done 2"])


@in_virtual_time
async def test_a_shard_that_is_lost_before_a_step_of_its_batch_gives_its_slot_back() -> None:
    sink, told = Sink(), list[str]()
    factory = batches_of(sink)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a"))
    lost.cancel()
    await kept.process(deliveries(told, "b", first=2))
    await drained(kept)
    assert (sink.batches, told) == ([[2]], ["done 2"])


@in_virtual_time
async def test_what_waits_for_another_try_is_dropped_with_its_shard_and_gives_its_slot_back() -> None:
    sink, told = Sink(answers={1: [AWAY] * 9, 2: [AWAY, AWAY]}), list[str]()
    factory = batches_of(sink)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a"))
    await settled()
    lost.cancel()
    await kept.process(deliveries(told, "b", "c", first=2))
    await settled()
    assert sink.batches == [[1], [2, 3]]
    await asyncio.wait_for(kept.drain(), 100)
    assert sink.batches == [[1], [2, 3], [2], [2]]
    assert told[-1] == "done 2"


@in_virtual_time
async def test_of_what_pauses_without_a_slot_a_lost_shards_records_never_come_again() -> None:
    sink, told = Sink(answers={1: [AWAY], 2: [AWAY]}), list[str]()
    factory = batches_of(sink, linger_s=1)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a"))
    await kept.process(deliveries(told, "b", "c", first=2))
    await asyncio.sleep(1.5)
    assert sink.batches == [[1, 2, 3]]
    lost.cancel()
    await asyncio.wait_for(kept.drain(), 100)
    assert sink.batches == [[1, 2, 3], [2]]
    assert "done 1" not in told


@in_virtual_time
async def test_what_waits_in_the_line_for_another_try_is_dropped_with_its_shard() -> None:
    sink, told = Sink(takes_s=3, answers={1: [AWAY]}), list[str]()
    factory = batches_of(sink, max_records=2)
    lost, kept = factory("s"), factory("t")
    await lost.process(deliveries(told, "a", "b"))
    await kept.process(deliveries(told, "c", "d", first=3))
    await asyncio.sleep(4.5)
    assert sink.batches == [[1, 2], [3, 4]]
    lost.cancel()
    await asyncio.wait_for(kept.drain(), 100)
    await asyncio.sleep(10)
    assert sink.batches == [[1, 2], [3, 4]]


@in_virtual_time
async def test_the_bytes_of_a_lost_shard_fill_no_batch() -> None:
    sink, told = Sink(), list[str]()
    factory = batches_of(sink, max_bytes=10, linger_s=5)
    lost, kept = factory("s"), factory("t")
    await lost.process([Given("a", 1, told, b"sixsix")])
    lost.cancel()
    await kept.process([Given("b", 2, told, b"sixsix")])
    await settled()
    assert sink.batches == []
    await asyncio.sleep(5)
    await settled()
    assert sink.batches == [[2]]


@in_virtual_time
async def test_a_shard_lost_while_a_dead_letter_is_written_is_told_nothing_more() -> None:
    told: list[str] = []

    class Slow(Given):
        async def reject(self, error: InvalidRecord) -> None:
            await asyncio.sleep(10)
            await super().reject(error)

    processor = batches_of(Sink(answers={1: [BAD]}))("s")
    await processor.process([Slow("a", 1, told)])
    await asyncio.sleep(1)
    processor.cancel()
    await asyncio.sleep(100)
    assert told == []
