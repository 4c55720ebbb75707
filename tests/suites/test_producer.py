"""The producer over every Kinesis that we have, and under faults: what it acknowledged is stored."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import (
    InvalidRecord,
    MissingResource,
    Retryable,
    Throttled,
    TimedOut,
    Unavailable,
)
from services.kernel.core.retry import Retry
from services.kernel.streams import producer_packs
from services.kernel.streams.aggregation import deaggregate
from services.kernel.streams.producer import MAX_RECORD_BYTES, OVERHEAD_BYTES, Producer
from services.kernel.streams.producer_metrics import ProducerMetrics
from services.kernel.streams.records import Failed, Position, Put, Record, Stored
from tests.fault.waiting import until
from tests.memory.kinesis import MemoryKinesis

STREAM = "orders"
FAST = Retry(base_s=0.001, cap_s=0.005)


class Gate(MemoryKinesis):
    """A Kinesis whose puts wait until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        self.waiting = 0

    async def put_records(self, stream: str, records: Sequence[tuple[bytes, str]]) -> list[Put]:
        self.waiting += 1
        try:
            await self.opened.wait()
        finally:
            self.waiting -= 1
        return await super().put_records(stream, records)


@pytest.fixture
async def memory() -> MemoryKinesis:
    kinesis = MemoryKinesis()
    await kinesis.create_stream(STREAM, 2)
    return kinesis


@pytest.fixture
async def gate() -> Gate:
    kinesis = Gate()
    await kinesis.create_stream(STREAM, 2)
    return kinesis


@pytest.fixture(params=["memory", "local"])
async def stream(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[tuple[Kinesis, str]]:
    name = f"{namespace}-producer"
    if request.param == "memory":
        kinesis: Kinesis = MemoryKinesis()
        await kinesis.create_stream(name, 2)
        yield kinesis, name
        return
    async with Kinesis.open(request.getfixturevalue("kinesis_endpoint"), "us-east-1") as kinesis:
        await kinesis.create_stream(name, 2)

        async def active() -> bool:
            return await kinesis.stream_status(name) == "ACTIVE"

        await until(active, 30, f"{name} is ACTIVE")
        yield kinesis, name
        await kinesis.delete_stream(name)


async def read_all(kinesis: Kinesis, name: str) -> list[Record]:
    found: list[Record] = []
    for shard in await kinesis.list_shards(name):
        iterator: str | None = await kinesis.shard_iterator(name, shard.shard_id, Position.trim_horizon())
        while iterator is not None:
            fetch = await kinesis.get_records(iterator, stream=name, shard_id=shard.shard_id)
            found += fetch.records
            iterator = fetch.next_iterator if fetch.records else None
    return found


def always(error: Callable[[], BaseException]) -> Callable[[str], BaseException | None]:
    return lambda operation: error() if operation == "put_records" else None


def settled(producer: Producer) -> bool:
    """Whether nothing is left behind: no bytes, no entry in any queue."""
    return (producer.pending_bytes, len(producer._queue), len(producer._by_deadline)) == (0, 0, 0)


async def test_every_put_learns_where_its_own_record_is(stream: tuple[Kinesis, str]) -> None:
    kinesis, name = stream
    producer = Producer(kinesis, name, max_records=40, linger_s=0.005)
    values = [b"%d" % number for number in range(300)]
    stored = await asyncio.gather(*(producer.put(value.decode(), value) for value in values))
    await producer.drain()
    found = {
        (record.shard_id, record.sequence_number): record.data for record in await read_all(kinesis, name)
    }
    assert [found[one.shard_id, one.sequence_number] for one in stored] == values
    assert len(found) == len(values)
    assert settled(producer)


async def test_batches_end_at_count(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, max_records=10, linger_s=60)
    await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(30)))
    assert memory.batches == [10, 10, 10]


async def test_batches_end_at_bytes(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, max_bytes=3 * 1001, linger_s=60)
    await asyncio.gather(*(producer.put(f"{n}", b"x" * 1000) for n in range(9)))
    assert memory.batches == [3, 3, 3]


async def test_batches_end_at_time(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, linger_s=0.02)
    await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(7)))
    assert memory.batches == [7]
    await producer.put("one", b"x")
    assert memory.batches == [7, 1]


async def test_calls_in_flight_are_bounded_and_what_waits_goes_together(gate: Gate) -> None:
    producer = Producer(gate, STREAM, max_records=5, in_flight=2, linger_s=0.001)
    puts = [asyncio.create_task(producer.put(f"{n}", b"x")) for n in range(30)]
    await until(lambda: gate.waiting == 2, 5, "two calls are in flight")
    gate.opened.set()
    await asyncio.gather(*puts)
    assert max(gate.batches) == 5
    assert sum(gate.batches) == 30


async def test_a_partial_failure_is_sent_again_record_by_record(memory: MemoryKinesis) -> None:
    metrics = ProducerMetrics()
    memory.failures = ["ProvisionedThroughputExceededException", "", "InternalFailure", ""]
    producer = Producer(memory, STREAM, linger_s=0.001, retry=FAST, metrics=metrics)
    stored = await asyncio.gather(*(producer.put(f"{n}", b"%d" % n) for n in range(4)))
    found = {record.sequence_number: record.data for record in memory.records(STREAM)}
    assert [found[one.sequence_number] for one in stored] == [b"0", b"1", b"2", b"3"]
    assert len(found) == 4
    assert memory.batches == [4, 2]
    assert b"producer_retried_total{" in metrics.exposition()
    assert settled(producer)


async def test_a_failed_call_is_sent_again(memory: MemoryKinesis) -> None:
    errors: list[Retryable] = [Throttled("slow"), Unavailable("away"), TimedOut("late")]
    memory.fault = lambda operation: errors.pop() if operation == "put_records" and errors else None
    producer = Producer(memory, STREAM, linger_s=0.001, retry=FAST)
    await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(5)))
    assert len(memory.records(STREAM)) == 5


async def test_a_lost_answer_doubles_and_never_loses(memory: MemoryKinesis) -> None:
    answers: list[Retryable] = [TimedOut("the answer is lost")]
    memory.fault_after = lambda _operation: answers.pop() if answers else None
    producer = Producer(memory, STREAM, linger_s=0.001, retry=FAST)
    stored = await asyncio.gather(*(producer.put(f"{n}", b"%d" % n) for n in range(5)))
    records = memory.records(STREAM)
    assert len(records) == 10
    assert {one.sequence_number for one in stored} <= {record.sequence_number for record in records}


async def test_what_cannot_succeed_fails_at_once_for_all(memory: MemoryKinesis) -> None:
    producer = Producer(memory, "no-such-stream", linger_s=0.001)
    outcomes = await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, MissingResource) for outcome in outcomes)
    assert settled(producer)


async def test_a_bug_in_the_client_reaches_every_put(memory: MemoryKinesis) -> None:
    memory.fault = always(lambda: ZeroDivisionError("bug"))
    producer = Producer(memory, STREAM, linger_s=0.001)
    outcomes = await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, ZeroDivisionError) for outcome in outcomes)
    memory.fault = lambda _operation: None
    await producer.put("after", b"x")


async def test_a_record_too_large_is_refused_and_the_largest_goes_through(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, linger_s=0.001)
    with pytest.raises(InvalidRecord) as raised:
        await producer.put("key", b"x" * (MAX_RECORD_BYTES - 2))
    assert raised.value.reason == "too_large"
    await producer.put("key", b"x" * (MAX_RECORD_BYTES - 3))
    for key in ("", "k" * 257):
        with pytest.raises(ValueError, match="partition key"):
            await producer.put(key, b"x")
    assert settled(producer)


async def test_pending_bytes_are_bounded(gate: Gate) -> None:
    cost = 1 + 1000 + OVERHEAD_BYTES
    producer = Producer(gate, STREAM, max_pending_bytes=3 * cost, linger_s=0.001)
    puts = [asyncio.create_task(producer.put("k", b"x" * 1000)) for _ in range(3)]
    await until(lambda: gate.waiting == 1, 5, "the first batch is in flight")
    assert producer.pending_bytes == 3 * cost
    with pytest.raises(Throttled):
        await producer.put("k", b"x" * 1000)
    gate.opened.set()
    await asyncio.gather(*puts)
    assert settled(producer)
    await producer.put("k", b"x" * 1000)


async def test_a_put_that_waits_for_room_goes_in_its_turn(gate: Gate) -> None:
    producer = Producer(gate, STREAM, max_pending_bytes=2 * (1 + 1 + OVERHEAD_BYTES), linger_s=0.001)
    puts = [asyncio.create_task(producer.put("k", b"%d" % number, wait=True)) for number in range(10)]
    await until(lambda: gate.waiting == 1, 5, "the first batch is in flight")
    with pytest.raises(Throttled):
        await producer.put("k", b"x")
    for waiting in (puts[5], puts[2]):
        waiting.cancel()
    gate.opened.set()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in outcomes] == [n in (2, 5) for n in range(10)]
    stored = [
        record.data for record in sorted(gate.records(STREAM), key=lambda record: record.sequence_number)
    ]
    assert stored == [b"%d" % number for number in range(10) if number not in (2, 5)]
    assert settled(producer)


async def test_one_record_larger_than_the_bound_goes_alone(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, max_pending_bytes=100, linger_s=0.001)
    await asyncio.gather(*(producer.put("k", b"x" * 1000, wait=True) for _ in range(3)))
    assert memory.batches == [1, 1, 1]


async def test_an_outage_ends_in_timed_out_and_leaves_nothing_behind(memory: MemoryKinesis) -> None:
    memory.fault = always(lambda: Unavailable("away"))
    metrics = ProducerMetrics()
    producer = Producer(memory, STREAM, linger_s=0.001, put_timeout_s=0.1, retry=FAST, metrics=metrics)
    outcomes = await asyncio.gather(*(producer.put(f"{n}", b"x") for n in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, TimedOut) for outcome in outcomes)
    await producer.drain()
    assert settled(producer)
    assert b"cadabra_kernel_producer_timed_out_total 20.0" in metrics.exposition()
    memory.fault = lambda _operation: None
    await producer.put("after", b"x")
    assert [record.partition_key for record in memory.records(STREAM)] == ["after"]


async def test_a_call_that_hangs_keeps_its_bytes_counted(gate: Gate) -> None:
    producer = Producer(gate, STREAM, linger_s=0.001, put_timeout_s=0.05)
    with pytest.raises(TimedOut):
        await producer.put("k", b"x" * 1000)
    assert producer.pending_bytes == 1 + 1000 + OVERHEAD_BYTES
    gate.opened.set()
    await producer.drain()
    assert settled(producer)


async def test_cancelling_one_put_does_not_touch_the_others(gate: Gate) -> None:
    producer = Producer(gate, STREAM, max_records=10, in_flight=1, linger_s=0.001)
    sent = [asyncio.create_task(producer.put("sent", b"%d" % number)) for number in range(10)]
    await until(lambda: gate.waiting == 1, 5, "a batch is in flight")
    queued = [asyncio.create_task(producer.put("queued", b"%d" % number)) for number in range(10)]
    await asyncio.sleep(0)
    for task in (sent[3], queued[3]):
        task.cancel()
    gate.opened.set()
    outcomes = await asyncio.gather(*sent, *queued, return_exceptions=True)
    assert [isinstance(outcome, Stored) for outcome in outcomes].count(True) == 18
    held = [(record.partition_key, record.data) for record in gate.records(STREAM)]
    assert ("sent", b"3") in held
    assert ("queued", b"3") not in held
    await producer.drain()
    assert settled(producer)


async def test_a_place_given_up_behind_the_last_batch_is_forgotten(gate: Gate) -> None:
    producer = Producer(gate, STREAM, max_records=1, in_flight=1, linger_s=0.001)
    puts = [asyncio.create_task(producer.put("k", b"%d" % number)) for number in range(3)]
    await until(lambda: gate.waiting == 1, 5, "the first record is in flight")
    puts[2].cancel()
    gate.opened.set()
    await asyncio.gather(*puts, return_exceptions=True)
    await producer.drain()
    assert settled(producer)


async def test_drain_waits_for_what_lingers_and_for_what_is_sent_again(memory: MemoryKinesis) -> None:
    memory.failures = ["ProvisionedThroughputExceededException"] * 6
    producer = Producer(memory, STREAM, linger_s=60, retry=FAST)
    puts = [asyncio.create_task(producer.put(f"{n}", b"x")) for n in range(3)]
    await asyncio.sleep(0)
    await producer.drain()
    assert len(memory.records(STREAM)) == 3
    await asyncio.gather(*puts)
    await producer.drain()


async def test_drain_counts_those_who_wait_for_room(gate: Gate) -> None:
    producer = Producer(gate, STREAM, max_pending_bytes=2 + OVERHEAD_BYTES, linger_s=60)
    puts = [asyncio.create_task(producer.put("k", b"x", wait=True)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.opened.set()
    await producer.drain()
    assert len(gate.records(STREAM)) == 5
    await asyncio.gather(*puts)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_acknowledged_is_stored(seed: int) -> None:
    """Random throttles, failures, lost answers, cancellations: the sum of what each put was told is true."""
    rng = random.Random(seed)
    kinesis = _Faulty(rng)
    await kinesis.create_stream(STREAM, 3)
    producer = Producer(
        kinesis,
        STREAM,
        max_records=rng.choice([1, 7, 50]),
        max_bytes=rng.choice([200, 10_000]),
        linger_s=rng.choice([0.0, 0.002]),
        max_pending_bytes=rng.choice([5_000, 200_000]),
        in_flight=rng.choice([1, 3]),
        put_timeout_s=rng.choice([0.05, 5.0]),
        retry=Retry(base_s=0.001, cap_s=0.01, rng=rng),
    )
    puts = [
        asyncio.create_task(producer.put(f"{n % 11}", b"%d" % n, wait=rng.random() < 0.8)) for n in range(200)
    ]

    async def cancel_some() -> None:
        for _ in range(20):
            await asyncio.sleep(0.001)
            rng.choice(puts).cancel()

    outcomes, _ = await asyncio.gather(asyncio.gather(*puts, return_exceptions=True), cancel_some())
    await producer.drain()
    held = {(record.shard_id, record.sequence_number): record.data for record in kinesis.records(STREAM)}
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Stored):
            assert held[outcome.shard_id, outcome.sequence_number] == b"%d" % number
        else:
            assert isinstance(outcome, Throttled | TimedOut | asyncio.CancelledError)
    refused = {b"%d" % n for n, outcome in enumerate(outcomes) if isinstance(outcome, Throttled)}
    assert not refused & set(held.values())
    assert settled(producer)


class _Faulty(MemoryKinesis):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    async def put_records(self, stream: str, records: Sequence[tuple[bytes, str]]) -> list[Put]:
        await asyncio.sleep(self._rng.random() * 0.003)
        dice = self._rng.random()
        if dice < 0.2:
            raise self._rng.choice([Throttled, Unavailable, TimedOut])("injected")
        outcomes: list[Put] = []
        for data, key in records:
            if self._rng.random() < 0.2:
                outcomes.append(Failed("ProvisionedThroughputExceededException", "injected"))
            else:
                outcomes += await super().put_records(stream, [(data, key)])
        if dice < 0.3:
            raise TimedOut("the answer is lost")
        return outcomes


async def packed(kinesis: Kinesis, name: str) -> list[Record]:
    """What readers find inside."""
    return [one for record in await read_all(kinesis, name) for one in deaggregate(record)]


async def test_packed_records_are_all_there_in_order_of_their_key(stream: tuple[Kinesis, str]) -> None:
    kinesis, name = stream
    producer = Producer(kinesis, name, linger_s=0.02, aggregate=True, aggregate_bytes=2_000)
    values = [(f"key-{number % 7}", b"%04d" % number) for number in range(500)]
    stored = await asyncio.gather(*(producer.put(key, value) for key, value in values))
    await producer.drain()
    raw = await read_all(kinesis, name)
    assert max(len(one.data) for one in raw) <= 2_000
    found = {(one.shard_id, one.sequence_number): deaggregate(one) for one in raw}
    for (key, value), put in zip(values, stored, strict=True):
        assert (key, value) in [(o.partition_key, o.data) for o in found[put.shard_id, put.sequence_number]]
    by_key: dict[str, list[bytes]] = {}
    for one in await packed(kinesis, name):
        by_key.setdefault(one.partition_key, []).append(one.data)
    assert by_key == {f"key-{k}": [value for key, value in values if key == f"key-{k}"] for k in range(7)}
    assert settled(producer)


async def test_after_a_split_packed_records_lie_where_their_hash_keys_belong(
    stream: tuple[Kinesis, str],
) -> None:
    """What KCL asks of an aggregate before it hands out what is inside."""
    kinesis, name = stream
    producer = Producer(kinesis, name, linger_s=0.01, aggregate=True)
    await asyncio.gather(*(producer.put(f"a{n}", b"x") for n in range(200)))
    for shard in await kinesis.list_shards(name):
        # Not in the middle: through a group of hash keys.
        cut = int(shard.starting_hash_key) + (2**128 // 64) * 3 // 2 + 12345
        await kinesis.split_shard(name, shard.shard_id, str(cut))

        async def active() -> bool:
            return await kinesis.stream_status(name) == "ACTIVE"

        await until(active, 30, f"{name} is ACTIVE")
    await asyncio.gather(*(producer.put(f"b{n}", b"x") for n in range(200)))
    ranges = {
        one.shard_id: range(int(one.starting_hash_key), int(one.ending_hash_key) + 1)
        for one in await kinesis.list_shards(name)
    }
    raw = await read_all(kinesis, name)
    assert len({one.shard_id for one in raw}) > 2
    for one in raw:
        inside = deaggregate(one)
        [effective] = {int(key) for key in hash_keys(one.data)}
        assert effective in ranges[one.shard_id]
        assert len(inside) >= 1
    assert len(await packed(kinesis, name)) == 400


def hash_keys(data: bytes) -> list[str]:
    """The explicit hash keys of an aggregate, read by the bytes of their decimal digits."""
    found = re.findall(rb"\x12([\x1e-\x27])([0-9]{30,39})", data)
    return [digits.decode() for length, digits in found if length[0] == len(digits)]


async def test_a_failed_aggregate_is_sent_again_as_a_whole(memory: MemoryKinesis) -> None:
    metrics = ProducerMetrics()
    memory.failures = ["ProvisionedThroughputExceededException", "", "InternalFailure"]
    producer = Producer(memory, STREAM, linger_s=0.01, retry=FAST, aggregate=True, metrics=metrics)
    await asyncio.gather(*(producer.put(f"{n}", b"%d" % n) for n in range(100)))
    assert sorted(int(one.data) for one in await packed(memory, STREAM)) == list(range(100))
    assert metrics.producer_records._value.get() == 100
    assert settled(producer)


async def test_an_aggregate_ends_at_count_and_a_large_record_goes_alone(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, linger_s=0.01, aggregate=True, aggregate_records=10)
    puts = [producer.put("k", b"%d" % n) for n in range(25)]
    await asyncio.gather(*puts, producer.put("k", bytes(200_000)), producer.put("k", b"last"))
    sizes = [len(deaggregate(one)) for one in memory.records(STREAM)]
    assert sorted(sizes) == [1, 1, 5, 10, 10]
    largest = MAX_RECORD_BYTES - producer_packs.OVERHEAD_BYTES - 1
    await producer.put("k", bytes(largest))
    assert max(len(one.data) for one in memory.records(STREAM)) + len("aggregate-999") <= MAX_RECORD_BYTES
    with pytest.raises(InvalidRecord):
        await producer.put("k", bytes(largest + 1))
    assert settled(producer)


async def test_packed_puts_time_out_together_and_give_back_what_they_held(gate: Gate) -> None:
    producer = Producer(gate, STREAM, linger_s=0.01, put_timeout_s=0.1, aggregate=True)
    outcomes = await asyncio.gather(*(producer.put("k", b"x") for _ in range(20)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [TimedOut] * 20
    gate.opened.set()
    await producer.drain()
    late = Producer(gate, STREAM, linger_s=60, put_timeout_s=0.05, aggregate=True)
    with pytest.raises(TimedOut):
        await late.put("k", b"never packed")
    assert settled(producer)
    assert settled(late)


async def test_what_is_cancelled_before_it_is_packed_is_not_sent(memory: MemoryKinesis) -> None:
    producer = Producer(memory, STREAM, linger_s=60, aggregate=True)
    kept, dropped, lonely = (
        asyncio.create_task(producer.put(key, data))
        for key, data in (("k", b"1"), ("k", b"2"), ("other", b"3"))
    )
    await asyncio.sleep(0)
    dropped.cancel()
    lonely.cancel()
    await asyncio.gather(dropped, lonely, return_exceptions=True)
    await producer.drain()
    assert isinstance(await kept, Stored)
    assert [one.data for one in await packed(memory, STREAM)] == [b"1"]
    assert settled(producer)


async def test_packed_bytes_count_against_the_bound(gate: Gate) -> None:
    room = 10 * (1_000 + OVERHEAD_BYTES + 300)
    producer = Producer(gate, STREAM, linger_s=0.01, max_pending_bytes=room, aggregate=True)
    puts = [asyncio.create_task(producer.put(f"{n}", bytes(1_000))) for n in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(Throttled):
        await producer.put("one more", bytes(3_000))
    waiting = asyncio.create_task(producer.put("one more", bytes(3_000), wait=True))
    assert producer.pending_bytes <= room
    gate.opened.set()
    await asyncio.gather(*puts, waiting)
    assert settled(producer)


async def test_open_aggregates_are_sent_though_the_queue_emptied_meanwhile(gate: Gate) -> None:
    producer = Producer(gate, STREAM, linger_s=0.02, in_flight=1, aggregate=True, aggregate_records=2)
    first = [asyncio.create_task(producer.put("k", b"%d" % n)) for n in range(5)]
    async with asyncio.timeout(5):
        while not gate.waiting:
            await asyncio.sleep(0.005)
        second = [asyncio.create_task(producer.put("k", b"%d" % n)) for n in range(5, 10)]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(*first, *second)
    assert len(await packed(gate, STREAM)) == 10
