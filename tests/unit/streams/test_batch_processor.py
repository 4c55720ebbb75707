"""Whatever outcomes, pauses, lost leases and drains: nothing is acknowledged that did not succeed, and all ends."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.errors import InvalidRecord, Retryable, Throttled, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.batch_processor import BatchOutcome, per_batch
from services.kernel.streams.processor import Processor
from services.kernel.streams.records import Record
from tests.simulation.virtual_loop import VirtualLoop, run

MAX_RECORDS = 5
MAX_BYTES = 40
CONCURRENCY = 2
OUTCOMES = ["done"] * 12 + ["again"] * 5 + ["bad"] * 2 + ["bug"]


class Watched:
    """A delivery that knows what its handling gave, and objects to any other end."""

    def __init__(self, world: World, shard: int, number: int, size_bytes: int, alone: bool) -> None:
        self.record = Record(str(shard), number, f"k{number % 3}", bytes(size_bytes), 0)
        self.alone = alone
        self.ended: str | None = None
        self._world = world

    def _end(self, how: str) -> None:
        number = self.record.sequence_number
        assert self.ended is None, f"{number} ended twice"
        assert int(self.record.shard_id) not in self._world.lost, f"{number} ended after its shard was lost"
        assert self._world.last[number] == how, (
            f"{number} ended as {how}, handled as {self._world.last[number]}"
        )
        self.ended = how

    def acknowledge(self) -> None:
        self._end("done")

    async def reject(self, error: InvalidRecord) -> None:
        await asyncio.sleep(0.3)
        self._end("bad")

    def survived(self) -> None:
        raise AssertionError("a batch waits for its end, and lets nothing pass before")

    def waiting(self, error: Retryable) -> None:
        assert self.ended is None
        assert self._world.last[self.record.sequence_number] in ("again", "away")

    def fail(self, error: BaseException) -> None:
        self._end("bug")


class World:
    """A sink with moods, shards that may be lost, and what was observed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lost: set[int] = set()
        self.last: dict[int, str] = {}
        self.alone: set[int] = set()
        self.at_work = 0
        self.tries: Counter[int] = Counter()

    async def handle(self, records: Sequence[Record]) -> Sequence[BatchOutcome]:
        """Give random outcomes; the fate of a record with a bug in it is always the same."""
        numbers = [record.sequence_number for record in records]
        self._judge_batch(records)
        self.at_work += 1
        try:
            await asyncio.sleep(self.rng.choice([0, 0.1, 2]))
        finally:
            self.at_work -= 1
        moods = {number: self._mood(number) for number in numbers}
        if "bug" in moods.values():
            self.last.update({n: mood if mood == "bug" else "nothing" for n, mood in moods.items()})
            raise ZeroDivisionError
        if self.rng.random() < 0.1:
            self.last.update(dict.fromkeys(numbers, "away"))
            raise Unavailable("away")
        self.last.update(moods)
        return [self._outcome(moods[number]) for number in numbers]

    def _judge_batch(self, records: Sequence[Record]) -> None:
        assert self.at_work < CONCURRENCY
        assert 0 < len(records) <= MAX_RECORDS
        assert len(records) == 1 or sum(len(record.data) for record in records) <= MAX_BYTES
        numbers = {record.sequence_number for record in records}
        assert len(numbers) == len(records)
        assert len(numbers) == 1 or not numbers & self.alone
        assert not {int(record.shard_id) for record in records} & self.lost
        self.tries.update(numbers)

    def _mood(self, number: int) -> str:
        mood = random.Random(number).choice(OUTCOMES)
        return self.rng.choice(["again", "done"]) if mood == "again" else mood

    @staticmethod
    def _outcome(mood: str) -> BatchOutcome:
        if mood == "again":
            return Throttled("slow")
        return InvalidRecord("contract_violation", "bad") if mood == "bad" else None


async def live(world: World, shards: int, steps: int) -> list[Watched]:
    """Feed shards, lose some, drain the others."""
    rng = world.rng
    factory = per_batch(
        world.handle,
        max_records=MAX_RECORDS,
        max_bytes=MAX_BYTES,
        linger_s=rng.choice([0, 0.5, 60]),
        concurrency=CONCURRENCY,
        retry=Retry(base_s=0.5, cap_s=5, rng=rng),
    )
    processors: dict[int, Processor] = {shard: factory(str(shard)) for shard in range(shards)}
    given_out: list[Watched] = []
    for _ in range(steps):
        shard = rng.randrange(shards)
        if shard in world.lost:
            continue
        if rng.random() < 0.05:
            world.lost.add(shard)
            processors[shard].cancel()
        else:
            given_out += (fresh := _fresh(world, shard, len(given_out)))
            await processors[shard].process(fresh)
        await asyncio.sleep(rng.choice([0, 0, 0.2, 3]))
    for shard, processor in processors.items():
        await asyncio.wait_for(processor.drain(), 10_000)
        ours = [one for one in given_out if one.record.shard_id == str(shard)]
        assert shard in world.lost or all(one.ended for one in ours), "drained with something open"
    return given_out


def _fresh(world: World, shard: int, first: int) -> list[Watched]:
    rng = world.rng
    fresh = [
        Watched(world, shard, number, rng.choice([1, 9, 50]), rng.random() < 0.05)
        for number in range(first, first + rng.randrange(7))
    ]
    world.alone.update(one.record.sequence_number for one in fresh if one.alone)
    return fresh


@given(seed=st.integers(0, 2**32), shards=st.integers(1, 4), steps=st.integers(1, 40))
def test_all_ends_as_it_was_handled_and_a_lost_shard_is_told_nothing(
    seed: int, shards: int, steps: int
) -> None:
    world = World(seed)

    async def main(_loop: VirtualLoop) -> list[Watched]:
        return await live(world, shards, steps)

    for delivery in run(main):
        number = delivery.record.sequence_number
        assert int(delivery.record.shard_id) in world.lost or delivery.ended, f"{number} never ended"
        assert not delivery.ended or world.tries[number]
