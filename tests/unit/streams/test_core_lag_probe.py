"""Lag of shards that nobody reads: what one probe tells, when the next is due, what grows in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from services.kernel.adapters.kinesis import MAX_RECORDS_PER_GET, Kinesis
from services.kernel.core.errors import MissingResource, Throttled
from services.kernel.streams.aggregation import Member, aggregate
from services.kernel.streams.lag_probe import LagProbe, lag_at_checkpoint_ms
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Fetch, Position, Record

NOW_S = 1_000.0
PACKED = aggregate([Member("k", b"1"), Member("k", b"2"), Member("k", b"3")])


def record(number: int, age_s: float, data: bytes = b"x") -> Record:
    return Record("a", number, "k", data, int((NOW_S - age_s) * 1_000))


@dataclass
class Shards(Kinesis):
    """Gives the same few records of every shard, and remembers who asked for what."""

    records: list[Record] = field(default_factory=list)
    behind_ms: int = 0
    error: BaseException | None = None
    hangs: bool = False
    asked: list[tuple[str, str, Position]] = field(default_factory=list)
    reads: list[tuple[str, int, str | None]] = field(default_factory=list)

    async def shard_iterator(self, stream: str, shard_id: str, position: Position) -> str:
        self.asked.append((stream, shard_id, position))
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return shard_id

    async def get_records(
        self, iterator: str, limit: int = MAX_RECORDS_PER_GET, stream: str | None = None, shard_id: str = ""
    ) -> Fetch:
        self.reads.append((iterator, limit, stream))
        return Fetch(self.records[:limit], iterator, self.behind_ms)


async def lag_ms(shards: Shards, lease: Lease) -> int:
    return await lag_at_checkpoint_ms(shards, "s", lease, lambda: NOW_S)


async def test_it_reads_the_checkpoints_record_and_the_next_and_no_more() -> None:
    shards = Shards([record(5, 9), record(6, 4), record(7, 1)])
    assert await lag_ms(shards, Lease("a", checkpoint="5")) == 4_000
    assert shards.asked == [("s", "a", Position("AT_SEQUENCE_NUMBER", 5))]
    assert shards.reads == [("a", 2, "s")]


async def test_the_oldest_open_record_tells_the_lag() -> None:
    assert await lag_ms(Shards([record(5, 9), record(6, 4)]), Lease("a")) == 9_000


@pytest.mark.parametrize(
    ("checkpoint", "sub_sequence", "expected_ms"),
    [("4", 9, 9_000), ("5", 1, 9_000), ("5", 2, 4_000), ("5", 3, 4_000), ("6", 0, 0)],
)
async def test_an_aggregate_is_done_once_its_last_record_is(
    checkpoint: str, sub_sequence: int, expected_ms: int
) -> None:
    shards = Shards([record(5, 9, PACKED), record(6, 4)])
    assert await lag_ms(shards, Lease("a", checkpoint=checkpoint, sub_sequence=sub_sequence)) == expected_ms


async def test_what_kinesis_tells_counts_where_it_is_more() -> None:
    done = Shards([record(5, 9)], behind_ms=700)
    assert await lag_ms(done, Lease("a", checkpoint="5")) == 700
    assert await lag_ms(Shards([record(5, 9)], behind_ms=700), Lease("a")) == 9_000


async def test_a_shard_without_records_is_not_behind() -> None:
    assert await lag_ms(Shards(), Lease("a")) == 0


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Probe:
    """A probe whose monotonic clock is set by hand, asked again once the reads that it began have ended."""

    def __init__(self, shards: Shards) -> None:
        self._now_s = 0.0
        self.probe = LagProbe(shards, "s", lambda: self._now_s, lambda: NOW_S)

    async def lag_ms(self, unread: list[Lease], at_s: float) -> int:
        self._now_s = at_s
        first = self.probe.largest_lag_ms(unread)
        await settled()
        self.first_answer = first
        return self.probe.largest_lag_ms(unread)


async def test_where_every_shard_is_read_there_is_no_lag_to_tell() -> None:
    here = Probe(Shards())
    assert await here.lag_ms([], 5.0) == 0
    assert here.probe.knows_all


async def test_a_shard_not_yet_probed_is_unknown_and_not_waited_for() -> None:
    here = Probe(Shards([record(1, 2)]))
    assert here.probe.largest_lag_ms([Lease("a")]) == 0
    assert not here.probe.knows_all
    assert await here.lag_ms([Lease("a")], 0.0) == 2_000
    assert here.probe.knows_all


async def test_between_probes_of_thirty_seconds_lag_grows() -> None:
    shards = Shards([record(1, 2)])
    here = Probe(shards)
    found = [await here.lag_ms([Lease("a")], at_s) for at_s in (7.0, 8.5, 36.9)]
    assert found == [2_000, 3_500, 31_900]
    assert len(shards.asked) == 1
    assert await here.lag_ms([Lease("a")], 37.0) == 2_000
    assert here.first_answer == 32_000, "the old figure grows until the new one is there"
    assert len(shards.asked) == 2


async def test_the_largest_of_all_shards_counts_each_probed_by_itself() -> None:
    shards = Shards([record(1, 2)])
    here = Probe(shards)
    await here.lag_ms([Lease("a")], 0.0)
    assert await here.lag_ms([Lease("a"), Lease("b")], 4.0) == 6_000
    assert [shard_id for _stream, shard_id, _position in shards.asked] == ["a", "b"]


async def test_a_shard_that_is_read_again_is_forgotten() -> None:
    here = Probe(Shards([record(1, 2)]))
    await here.lag_ms([Lease("a")], 0.0)
    assert await here.lag_ms([Lease("b")], 4.0) == 2_000
    assert await here.lag_ms([Lease("a")], 5.0) == 2_000, "asked anew, not grown from before"


async def test_a_shard_that_is_gone_counts_from_its_own_moment() -> None:
    shards = Shards(error=MissingResource("gone"))
    here = Probe(shards)
    assert await here.lag_ms([Lease("a")], 3.0) == 0
    assert await here.lag_ms([Lease("a")], 4.0) == 1_000
    assert len(shards.asked) == 1


async def test_a_probe_that_fails_leaves_the_shard_unknown_and_is_made_again() -> None:
    shards = Shards([record(1, 2)], error=Throttled("slow"))
    here = Probe(shards)
    assert await here.lag_ms([Lease("a")], 3.0) == 0
    assert not here.probe.knows_all
    shards.error = None
    assert await here.lag_ms([Lease("a")], 4.0) == 2_000
    assert here.probe.knows_all


async def test_a_probe_that_is_not_answered_is_made_once() -> None:
    shards = Shards(hangs=True)
    here = Probe(shards)
    for at_s in (0.0, 1.0, 2.0):
        assert await here.lag_ms([Lease("a")], at_s) == 0
    assert len(shards.asked) == 1
    here.probe.cancel()


async def test_a_probe_given_up_tells_nothing_any_more() -> None:
    shards = Shards([record(1, 2)])
    here = Probe(shards)
    here.probe.largest_lag_ms([Lease("a")])
    here.probe.cancel()
    await settled()
    assert not here.probe.knows_all
    assert not shards.reads


async def test_nothing_is_begun_where_nothing_is_due() -> None:
    here = Probe(Shards([record(1, 2)]))
    await here.lag_ms([Lease("a")], 0.0)
    tasks = len(asyncio.all_tasks())
    here.probe.largest_lag_ms([Lease("a")])
    assert len(asyncio.all_tasks()) == tasks
