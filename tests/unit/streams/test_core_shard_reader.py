"""Reading one shard: where it goes on after a failure, when it asks for another iterator, how far it is behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.adapters.kinesis import MAX_RECORDS_PER_GET
from services.kernel.core.errors import MissingResource, Throttled, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Fetch, Position
from services.kernel.streams.shard_reader import FETCH_BYTES, ShardReader
from tests.memory.kinesis import MemoryKinesis

MOST_PAUSES = 20


class Stream(MemoryKinesis):
    """One shard of one stream that remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(lambda: 1_000.0)
        self.positions: list[Position] = []
        self.asked: list[tuple[int, str | None, str]] = []
        self.calls: list[str] = []
        self.behind_ms = 0

    async def shard_iterator(self, stream: str, shard_id: str, position: Position) -> str:
        self.positions.append(position)
        self.calls.append("iterator")
        return await super().shard_iterator(stream, shard_id, position)

    async def get_records(
        self, iterator: str, limit: int = MAX_RECORDS_PER_GET, stream: str | None = None, shard_id: str = ""
    ) -> Fetch:
        self.asked.append((limit, stream, shard_id))
        self.calls.append("records")
        fetch = await super().get_records(iterator, limit, stream, shard_id)
        return replace(fetch, millis_behind_latest=self.behind_ms)

    def fail(self, operation: str, *errors: BaseException) -> None:
        """Let the next calls of an operation fail, one error each."""
        left = list(errors)
        self.fault = lambda called: left.pop(0) if called == operation and left else None


class Shard:
    """A reader over a shard with so many records, and what it waited for."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.metrics = GroupMetrics()
        self.attempts: list[int] = []
        self.now_s = 50.0

    async def reader(self, records: int) -> ShardReader:
        await self.stream.create_stream("s", 1)
        [shard] = await self.stream.list_shards("s")
        if records:
            await self.stream.put_records("s", [(b"%d" % number, "k") for number in range(records)])
        return ShardReader(
            self.stream, "s", Lease(shard.shard_id), _Pauses(self), self.metrics, lambda: self.now_s
        )

    @property
    def errors(self) -> dict[str, float]:
        """Failed reads by the name of their error."""
        [family] = self.metrics.fetch_errors.collect()
        return {one.labels["error"]: one.value for one in family.samples}


class _Pauses(Retry):
    """Takes no time, and ends a reader that would try for ever."""

    def __init__(self, shard: Shard) -> None:
        super().__init__()
        self._shard = shard

    async def pause(self, attempt: int) -> None:
        self._shard.attempts.append(attempt)
        assert len(self._shard.attempts) < MOST_PAUSES, "no end in sight"


async def data(reader: ShardReader) -> list[bytes]:
    fetch = await reader.fetch()
    assert fetch is not None
    return [record.data for record in fetch.records]


async def test_a_shard_is_read_in_steps_from_the_leases_place_by_one_iterator() -> None:
    shard = Shard()
    reader = await shard.reader(500)
    await shard.stream.put_records("s", [(b"more", "k")] * 500)
    await shard.stream.put_records("s", [(b"last", "k")] * 2)
    first = await reader.fetch()
    assert first is not None
    assert len(first.records) == 1_000
    assert {record.shard_id for record in first.records} == {"shardId-000000000000"}
    assert await data(reader) == [b"last", b"last"]
    assert shard.stream.positions == [Position.trim_horizon()]
    assert shard.stream.asked == [(1_000, "s", "shardId-000000000000")] * 2
    assert shard.attempts == []


def test_room_is_kept_for_the_most_that_one_read_gives() -> None:
    assert FETCH_BYTES == 10_485_760


async def test_after_an_expired_iterator_it_goes_on_behind_the_last_record() -> None:
    shard = Shard()
    reader = await shard.reader(3)
    assert await data(reader) == [b"0", b"1", b"2"]
    assert await data(reader) == []
    await shard.stream.put_records("s", [(b"3", "k")])
    shard.stream.expire_iterators()
    assert await data(reader) == [b"3"]
    assert shard.errors == {"ExpiredIterator": 1}
    assert shard.attempts == [0]


async def test_each_third_failure_in_a_row_brings_another_iterator() -> None:
    shard = Shard()
    reader = await shard.reader(1)
    shard.stream.fail("get_records", *[Throttled("slow")] * 5, Unavailable("away"))
    assert await data(reader) == [b"0"]
    assert shard.stream.calls == [*["iterator", "records", "records", "records"] * 2, "iterator", "records"]
    assert shard.errors == {"Throttled": 5, "Unavailable": 1}


async def test_the_pause_grows_with_each_failure_and_begins_anew_with_the_next_read() -> None:
    shard = Shard()
    reader = await shard.reader(1)
    for _ in range(2):
        shard.stream.fail("get_records", *[Throttled("slow")] * 4)
        await reader.fetch()
    assert shard.attempts == [0, 1, 2, 3] * 2


async def test_a_shard_that_is_gone_is_told_and_not_tried_again() -> None:
    shard = Shard()
    reader = await shard.reader(1)
    shard.stream.fail("shard_iterator", MissingResource("gone"))
    assert await reader.fetch() is None
    assert shard.attempts == []


async def test_what_nobody_has_read_yet_is_behind_since_reading_began() -> None:
    shard = Shard()
    reader = await shard.reader(1)
    assert not reader.fetched
    assert reader.behind_ms(10.0) == 0
    shard.now_s += 1.5
    assert reader.behind_ms(10.0) == 1_500


@pytest.mark.parametrize(("silent_s", "behind_ms"), [(0.0, 0), (4.0, 0), (4.5, 4_500)])
async def test_at_the_tip_a_silence_of_two_intervals_means_nothing(silent_s: float, behind_ms: int) -> None:
    shard = Shard()
    reader = await shard.reader(1)
    shard.now_s += 100
    await reader.fetch()
    assert reader.fetched
    shard.now_s += silent_s
    assert reader.behind_ms(2.0) == behind_ms


async def test_short_of_the_tip_every_moment_counts() -> None:
    shard = Shard()
    reader = await shard.reader(0)
    shard.stream.behind_ms = 700
    await reader.fetch()
    shard.now_s += 0.25
    assert reader.behind_ms(2.0) == 950
    shard.stream.behind_ms = 0
    await reader.fetch()
    assert reader.behind_ms(2.0) == 0
