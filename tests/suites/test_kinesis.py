"""One suite for every Kinesis that we have: what the consumer and the producer rely on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.kernel.adapters.kinesis import ExpiredIterator, Kinesis
from services.kernel.core.errors import MissingResource, Retryable, Unavailable
from services.kernel.streams.records import Fetch, Position, Record, Shard, Stored
from tests.fault.waiting import until
from tests.memory.kinesis import MemoryKinesis

ACTIVE_TIMEOUT_S = 30.0


@dataclass
class Stream:
    """One stream of a test, with the calls that a test wants in one word."""

    kinesis: Kinesis
    name: str

    async def put(self, *values: bytes) -> list[Stored]:
        outcomes = await self.kinesis.put_records(
            self.name, [(value, value.decode()[:200]) for value in values]
        )
        assert all(isinstance(outcome, Stored) for outcome in outcomes)
        return [outcome for outcome in outcomes if isinstance(outcome, Stored)]

    async def fetch(self, shard_id: str, position: Position | None = None, limit: int = 10_000) -> Fetch:
        iterator = await self.kinesis.shard_iterator(self.name, shard_id, position or Position.trim_horizon())
        return await self.kinesis.get_records(iterator, limit, self.name, shard_id)

    async def shards(self) -> dict[str, Shard]:
        return {shard.shard_id: shard for shard in await self.kinesis.list_shards(self.name)}

    async def read_all(self) -> list[Record]:
        found: list[Record] = []
        for shard_id in await self.shards():
            iterator: str | None = await self.kinesis.shard_iterator(
                self.name, shard_id, Position.trim_horizon()
            )
            while iterator is not None:
                fetch = await self.kinesis.get_records(iterator, stream=self.name, shard_id=shard_id)
                found += fetch.records
                iterator = fetch.next_iterator if fetch.millis_behind_latest or fetch.records else None
        return found

    async def until_active(self) -> None:
        async def active() -> bool:
            return await self.kinesis.stream_status(self.name) == "ACTIVE"

        await until(active, ACTIVE_TIMEOUT_S, f"{self.name} is ACTIVE")

    async def split(self, shard_id: str) -> None:
        shard = (await self.shards())[shard_id]
        middle = (int(shard.starting_hash_key) + int(shard.ending_hash_key)) // 2
        await self.kinesis.split_shard(self.name, shard_id, str(middle))
        await self.until_active()


@pytest.fixture(params=["memory", "sdk", "raw"])
async def kinesis(request: pytest.FixtureRequest) -> AsyncIterator[Kinesis]:
    if request.param == "memory":
        yield MemoryKinesis()
        return
    endpoint = request.getfixturevalue("kinesis_endpoint")
    async with Kinesis.open(endpoint, "us-east-1", data_plane=request.param) as client:
        yield client


@pytest.fixture
async def stream(kinesis: Kinesis, namespace: str) -> AsyncIterator[Stream]:
    made = Stream(kinesis, f"{namespace}-kinesis")
    assert await kinesis.create_stream(made.name, 2)
    await made.until_active()
    yield made
    await kinesis.delete_stream(made.name)


async def test_a_put_says_where_each_record_is(stream: Stream) -> None:
    values = [b"%d" % number for number in range(50)]
    stored = await stream.put(*values)
    found = {(record.shard_id, record.sequence_number): record for record in await stream.read_all()}
    assert len(found) == len(values)
    for outcome, value in zip(stored, values, strict=True):
        record = found[outcome.shard_id, outcome.sequence_number]
        assert (record.data, record.partition_key) == (value, value.decode())
        assert record.arrived_at_ms > 1_600_000_000_000


async def test_bytes_come_back_as_they_went(stream: Stream) -> None:
    value = bytes(range(256)) * 1000
    await stream.kinesis.put_records(stream.name, [(value, "schlüssel-ключ")])
    (record,) = await stream.read_all()
    assert (record.data, record.partition_key) == (value, "schlüssel-ключ")


async def test_one_partition_key_keeps_its_order(stream: Stream) -> None:
    for first in range(0, 40, 10):
        batch = [(b"%d" % number, "one") for number in range(first, first + 10)]
        await stream.kinesis.put_records(stream.name, batch)
    records = await stream.read_all()
    assert [record.data for record in records] == [b"%d" % number for number in range(40)]
    assert sorted(records, key=lambda record: record.sequence_number) == records


async def test_reading_goes_on_from_any_position(stream: Stream) -> None:
    await stream.put(b"x")
    stored = [outcome for _ in range(5) for outcome in await stream.put(b"same-key")]
    shard_id, middle = stored[2].shard_id, stored[2].sequence_number
    after = await stream.fetch(shard_id, Position.after(middle))
    assert [record.sequence_number for record in after.records] == [s.sequence_number for s in stored[3:]]
    at = await stream.fetch(shard_id, Position("AT_SEQUENCE_NUMBER", middle))
    assert [record.sequence_number for record in at.records] == [s.sequence_number for s in stored[2:]]
    assert (await stream.fetch(shard_id, Position("LATEST"))).records == []
    everything = (await stream.fetch(shard_id)).records
    early = await stream.fetch(shard_id, Position.at_timestamp(everything[0].arrived_at_ms))
    assert early.records == everything


async def test_a_limit_cuts_and_the_next_iterator_goes_on(stream: Stream) -> None:
    for _ in range(5):
        stored = await stream.put(b"same-key")
    shard_id = stored[0].shard_id
    first = await stream.fetch(shard_id, limit=2)
    assert len(first.records) == 2
    assert first.next_iterator is not None
    rest = await stream.kinesis.get_records(first.next_iterator, shard_id=shard_id)
    assert len(rest.records) == 3
    assert rest.millis_behind_latest == 0
    numbers = [record.sequence_number for record in first.records + rest.records]
    assert numbers == sorted(set(numbers))


async def test_an_open_shard_with_nothing_new_keeps_its_iterator(stream: Stream) -> None:
    shard_id = next(iter(await stream.shards()))
    fetch = await stream.fetch(shard_id)
    assert fetch == Fetch([], fetch.next_iterator, 0, [])
    assert fetch.next_iterator is not None


async def test_a_split_closes_the_parent_and_names_the_children(stream: Stream) -> None:
    stored = await stream.put(*(b"%d" % number for number in range(20)))
    parent = stored[0].shard_id
    before = [outcome for outcome in stored if outcome.shard_id == parent]
    await stream.split(parent)
    shards = await stream.shards()
    children = [shard for shard in shards.values() if shard.parents == (parent,)]
    assert shards[parent].closed
    assert len(children) == 2
    assert not any(child.closed for child in children)
    ranges = sorted((int(child.starting_hash_key), int(child.ending_hash_key)) for child in children)
    assert ranges[0][0] == int(shards[parent].starting_hash_key)
    assert ranges[0][1] + 1 == ranges[1][0]
    assert ranges[1][1] == int(shards[parent].ending_hash_key)
    fetch = await stream.fetch(parent)
    while fetch.next_iterator is not None and not fetch.records:
        fetch = await stream.kinesis.get_records(fetch.next_iterator, shard_id=parent)
    assert [record.sequence_number for record in fetch.records] == [one.sequence_number for one in before]
    end = fetch
    while end.next_iterator is not None:
        end = await stream.kinesis.get_records(end.next_iterator, shard_id=parent)
    assert sorted(end.child_shards) == sorted(child.shard_id for child in children)


async def test_records_after_a_split_have_larger_sequence_numbers(stream: Stream) -> None:
    (before,) = await stream.put(b"same-key")
    await stream.split(before.shard_id)
    (after,) = await stream.put(b"same-key")
    assert after.shard_id != before.shard_id
    assert after.sequence_number > before.sequence_number


async def test_a_merge_names_both_parents(stream: Stream) -> None:
    first, second = sorted(await stream.shards())
    await stream.kinesis.merge_shards(stream.name, first, second)
    await stream.until_active()
    shards = await stream.shards()
    (child,) = [shard for shard in shards.values() if shard.parents]
    assert set(child.parents) == {first, second}
    assert shards[first].closed
    assert shards[second].closed
    assert (await stream.fetch(first)).child_shards == [child.shard_id]


async def test_creating_twice_and_deleting_nothing_are_harmless(stream: Stream) -> None:
    assert await stream.kinesis.create_stream(stream.name, 2) is False
    await stream.kinesis.delete_stream("no-such-stream")
    assert await stream.kinesis.stream_status("no-such-stream") is None


async def test_retention_goes_up_and_down(stream: Stream) -> None:
    for hours in (168, 168, 24):
        await stream.kinesis.update_retention(stream.name, hours)
        assert await stream.kinesis.retention_hours(stream.name) == hours


async def test_what_is_not_there_is_missing(stream: Stream) -> None:
    with pytest.raises(MissingResource):
        await stream.kinesis.list_shards("no-such-stream")
    with pytest.raises(MissingResource):
        await stream.kinesis.put_records("no-such-stream", [(b"", "key")])
    with pytest.raises(MissingResource):
        await stream.kinesis.retention_hours("no-such-stream")
    with pytest.raises(MissingResource):
        await stream.kinesis.shard_iterator(stream.name, "shardId-000000000099", Position.trim_horizon())


async def test_an_iterator_that_is_none_can_be_asked_for_again(stream: Stream) -> None:
    # Kinesis and the memory say that it is expired; kinesis-local answers 500.
    with pytest.raises((ExpiredIterator, Unavailable)) as raised:
        await stream.kinesis.get_records("AAAAAAAAAAE=")
    assert isinstance(raised.value, Retryable)
