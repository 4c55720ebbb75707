"""Kinesis and the lease table as a worker meets them in a simulation: late, throttled, cut off, answers lost.

The world also judges. Every effect and every write of a lease passes through it, so that what must never be is seen
at the moment it happens.
"""

from __future__ import annotations

import asyncio
import bisect
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.kernel.adapters.dynamodb import ConditionFailed
from services.kernel.adapters.kinesis import ExpiredIterator
from services.kernel.core.errors import MissingResource, Throttled, TimedOut, Unavailable
from services.kernel.streams.lease import Lease, from_item
from services.kernel.streams.records import Fetch, Position, Record, Shard

MAX_HASH = 2**128 - 1
ITERATOR_LIFE_S = 300.0
FETCH_LIMIT = 40


class Broken(AssertionError):
    """A promise of the consumer group did not hold."""


@dataclass(slots=True)
class SimShard:
    """One shard: its place in the graph, its records, when each arrived."""

    shard: Shard
    records: list[Record] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    children: list[str] = field(default_factory=list)

    def place(self, position: Position) -> int:
        """Where in its records a position is."""
        if position.sequence_number is not None:
            return bisect.bisect_right(self.numbers, position.sequence_number)
        if position.timestamp_ms is not None:
            return bisect.bisect_left(self.records, position.timestamp_ms, key=lambda r: r.arrived_at_ms)
        return 0

    @property
    def start(self) -> int:
        return int(self.shard.starting_hash_key)

    @property
    def end(self) -> int:
        return int(self.shard.ending_hash_key)


@dataclass(slots=True)
class Trouble:
    """What goes wrong for one worker's calls at present; each is a probability or a time until which it holds."""

    throttle_kinesis: float = 0.0
    throttle_dynamodb: float = 0.0
    lose_answers: float = 0.0
    no_kinesis_until_s: float = 0.0
    no_dynamodb_until_s: float = 0.0
    slow_until_s: float = 0.0


class World:
    """The stream, the lease table, what was handled, and the judge."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, shards: int) -> None:
        self.loop = loop
        self.rng = rng
        self.shards: dict[str, SimShard] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.handled: Counter[int] = Counter()
        self.rejected: set[int] = set()
        self.epoch = 0
        self.wall_jump_s = 0.0
        self.verdict: str | None = None
        self._number = 0
        self._ancestors_done: set[str] = set()
        self._last_of_key: dict[str, int] = {}
        self._before: dict[int, int] = {}
        self._first_done: set[int] = set()
        self._done_upto: dict[str, int] = {}
        self.rewinds = 0
        self._owed: set[int] = set()  # to be handled again since a rewind
        width = (MAX_HASH + 1) // shards
        for n in range(shards):
            end = MAX_HASH if n == shards - 1 else (n + 1) * width - 1
            self._add(n * width, end, ())

    # the stream ------------------------------------------------------------------------

    def _add(self, start: int, end: int, parents: tuple[str, ...]) -> SimShard:
        name = f"shardId-{len(self.shards):012d}"
        made = SimShard(Shard(name, parents, str(start), str(end)))
        self.shards[name] = made
        for parent in parents:
            self.shards[parent].children.append(name)
        return made

    def open_shards(self) -> list[SimShard]:
        """The shards that take records, by hash range."""
        return sorted((s for s in self.shards.values() if not s.shard.closed), key=lambda s: s.start)

    def put(self, key: int) -> None:
        """Put one record; a key's records keep their order across reshards."""
        hash_key = (key * 0x9E3779B97F4A7C15F39CC0605CEDC835) & MAX_HASH
        shard = next(s for s in self.open_shards() if s.start <= hash_key <= s.end)
        self._number += 1
        record = Record(shard.shard.shard_id, self._number, f"k{key}", b"x", int(self.loop.time() * 1000))
        shard.records.append(record)
        shard.numbers.append(self._number)
        if record.partition_key in self._last_of_key:
            self._before[self._number] = self._last_of_key[record.partition_key]
        self._last_of_key[record.partition_key] = self._number

    def split(self) -> bool:
        """Split a shard in the middle."""
        shard = self.rng.choice(self.open_shards())
        if shard.end - shard.start < 2:
            return False
        middle = (shard.start + shard.end) // 2
        self._close(shard)
        self._add(shard.start, middle, (shard.shard.shard_id,))
        self._add(middle + 1, shard.end, (shard.shard.shard_id,))
        return True

    def merge(self) -> bool:
        """Merge two neighbours."""
        shards = self.open_shards()
        if len(shards) < 2:
            return False
        at = self.rng.randrange(len(shards) - 1)
        left, right = shards[at], shards[at + 1]
        self._close(left)
        self._close(right)
        self._add(left.start, right.end, (left.shard.shard_id, right.shard.shard_id))
        return True

    def _close(self, shard: SimShard) -> None:
        old = shard.shard
        shard.shard = Shard(
            old.shard_id, old.parents, old.starting_hash_key, old.ending_hash_key, closed=True
        )

    # the judge -------------------------------------------------------------------------

    def effect(self, record: Record, by: str) -> None:
        """A record's effect happened, for the first time or again.

        Args:
            by: the worker's id.
        """
        number = record.sequence_number
        # Only the owner reads again; what a zombie does late is no answer to a rewind.
        if number in self._owed and self.rows[record.shard_id].get("leaseOwner") == {"S": by}:
            self._judge_again(record)
            self._owed.discard(number)
        if number not in self.handled:
            self._judge_first(record)
        self.handled[number] += 1

    def kept(self, number: int, by: str) -> None:
        """A record became a dead letter."""
        name = next(name for name, shard in self.shards.items() if number in shard.numbers)
        if self.rows[name].get("leaseOwner") == {"S": by}:
            self._owed.discard(number)
        self.handled[number] += 1

    def _judge_first(self, record: Record) -> None:
        before = self._before.get(record.sequence_number)
        if before is not None and before not in self.handled:
            self._break(f"record {record.sequence_number} was handled before {before} of the same key")
        shard = self.shards[record.shard_id]
        for parent in shard.shard.parents:
            self._judge_parent(record, parent)

    def _judge_again(self, record: Record) -> None:
        if self._before.get(record.sequence_number) in self._owed:
            self._break(f"record {record.sequence_number} was handled again before its predecessor")
        for parent in self.shards[record.shard_id].shard.parents:
            if not self._owed.isdisjoint(self.shards[parent].numbers):
                self._break(f"{record.shard_id} was read again before the end of {parent}")

    def _judge_parent(self, record: Record, parent: str) -> None:
        if parent in self._ancestors_done:
            return
        missing = [n for n in self.shards[parent].numbers if n not in self.handled]
        if missing:
            self._break(f"{record.shard_id} was read while {len(missing)} records of {parent} were open")
        self._ancestors_done.add(parent)

    def judge_write(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
        """A row of the lease table is about to change."""
        lease = from_item(new)
        before = from_item(old) if old else None
        if lease is None:
            return
        if before is not None and lease.counter <= before.counter and not _is_an_operators(before, lease):
            self._break(f"the counter of {lease.shard_id} did not rise")
        shard = self.shards[lease.shard_id]
        if before is not None and before.rewind_to is not None and lease.rewind_to is None:
            self._judge_rewind(shard, before.rewind_to, lease)
            return
        if before is not None and before.ended and not lease.ended:
            self._break(f"{lease.shard_id} came back from its end")
        if lease.checkpoint.isdigit():
            upto = int(lease.checkpoint)
            if before is not None and before.checkpoint.isdigit() and upto < int(before.checkpoint):
                self._break(f"the checkpoint of {lease.shard_id} moved backwards")
        elif lease.ended:
            if not shard.shard.closed:
                self._break(f"{lease.shard_id} was ended while it is open")
            upto = shard.numbers[-1] if shard.numbers else 0
        else:
            return
        self._judge_durable(shard, upto)

    def _judge_rewind(self, shard: SimShard, request: str, lease: Lease) -> None:
        """The checkpoint goes where it was asked to go, leaves nothing out, and what follows is owed again."""
        name = shard.shard.shard_id
        if request not in (lease.checkpoint, f"{lease.checkpoint}:{lease.timestamp_ms}"):
            self._break(f"{name} was to be rewound to {request} and went to {lease.checkpoint}")
        start = shard.place(lease.position)
        if any(number not in self.handled for number in shard.numbers[:start]):
            self._break(f"{name} was rewound to {request}, past an open record")
        self._owed.update(number for number in shard.numbers[start:] if number in self.handled)
        self._done_upto[name] = shard.numbers[start - 1] if start else 0
        self.rewinds += 1

    def _judge_durable(self, shard: SimShard, upto: int) -> None:
        name = shard.shard.shard_id
        done = self._done_upto.get(name, 0)
        for place in range(
            bisect.bisect_right(shard.numbers, done), bisect.bisect_right(shard.numbers, upto)
        ):
            if shard.numbers[place] not in self.handled or shard.numbers[place] in self._owed:
                self._break(f"{name} was checkpointed at {upto} past the open record {shard.numbers[place]}")
        self._done_upto[name] = max(done, upto)

    def _break(self, what: str) -> None:
        """Keep the first broken promise: it is raised inside a worker, which makes an error of its own of it."""
        self.verdict = self.verdict or what
        raise Broken(what)

    @property
    def total(self) -> int:
        """Records put so far."""
        return self._number

    @property
    def all_handled(self) -> bool:
        """Whether no record is without its effect, those included that a rewind asked for again."""
        return len(self.handled) == self._number and not self._owed

    def oldest_open_s(self) -> float:
        """Age of the oldest record that was not handled, virtual seconds."""
        arrived = [
            record.arrived_at_ms
            for shard in self.shards.values()
            if self._done_upto.get(shard.shard.shard_id, 0) < (shard.numbers[-1] if shard.numbers else 0)
            for record in shard.records
            if record.sequence_number not in self.handled
        ]
        return self.loop.time() - min(arrived) / 1000 if arrived else 0.0


class SimClient:
    """Both engines as one worker reaches them; has the methods of the adapters that the group calls."""

    def __init__(self, world: World, trouble: Trouble, rng: random.Random) -> None:
        self._world = world
        self._trouble = trouble
        self._rng = rng

    async def _before(self, away_until_s: float, throttle: float) -> None:
        now_s = self._world.loop.time()
        slow = 20.0 if now_s < self._trouble.slow_until_s else 1.0
        await asyncio.sleep(self._rng.uniform(0.002, 0.03) * slow)
        if now_s < away_until_s:
            raise Unavailable("cut off")
        if throttle and self._rng.random() < throttle:
            raise Throttled("slow down")

    async def _kinesis(self) -> None:
        await self._before(self._trouble.no_kinesis_until_s, self._trouble.throttle_kinesis)

    async def _dynamodb(self) -> None:
        await self._before(self._trouble.no_dynamodb_until_s, self._trouble.throttle_dynamodb)

    def _answer(self) -> None:
        if self._trouble.lose_answers and self._rng.random() < self._trouble.lose_answers:
            raise TimedOut("the answer was lost")

    async def list_shards(self, _stream: str) -> list[Shard]:
        await self._kinesis()
        shards = [s.shard for s in self._world.shards.values()]
        self._rng.shuffle(shards)
        return shards

    async def shard_iterator(self, _stream: str, shard_id: str, position: Position) -> str:
        await self._kinesis()
        shard = self._world.shards.get(shard_id)
        if shard is None:
            raise MissingResource(shard_id)
        index = shard.place(position)
        return f"{shard_id}|{index}|{self._world.loop.time() + ITERATOR_LIFE_S}|{self._world.epoch}"

    async def get_records(self, iterator: str, limit: int, stream: str = "", shard_id: str = "") -> Fetch:
        await self._kinesis()
        name, index, good_until_s, epoch = iterator.split("|")
        now_s = self._world.loop.time()
        if now_s > float(good_until_s) or int(epoch) != self._world.epoch:
            raise ExpiredIterator(name)
        shard = self._world.shards[name]
        start = int(index)
        records = shard.records[start : start + min(limit, FETCH_LIMIT)]
        end = start + len(records)
        at_end = end == len(shard.records)
        closed = shard.shard.closed
        behind_ms = 0 if at_end else max(1, int(now_s * 1000) - shard.records[end].arrived_at_ms)
        following = None if closed and at_end else f"{name}|{end}|{now_s + ITERATOR_LIFE_S}|{epoch}"
        return Fetch(records, following, behind_ms, list(shard.children) if following is None else [])

    async def scan(self, _table: str, consistent: bool = True) -> AsyncIterator[dict[str, Any]]:
        await self._dynamodb()
        assert consistent, "leases are read consistently"
        for row in list(self._world.rows.values()):
            yield dict(row)

    async def put_item(self, _table: str, item: dict[str, Any], condition: str | None = None) -> None:
        await self._dynamodb()
        assert condition == "attribute_not_exists(leaseKey)"
        key = item["leaseKey"]["S"]
        if key in self._world.rows:
            raise ConditionFailed(key)
        self._world.rows[key] = dict(item)
        self._answer()

    async def delete_item(
        self, _table: str, key: dict[str, Any], condition: str, values: dict[str, Any]
    ) -> None:
        await self._dynamodb()
        row = self._world.rows.get(key["leaseKey"]["S"])
        assert condition == "leaseCounter = :counter"
        if row is None or row["leaseCounter"] != values[":counter"]:
            raise ConditionFailed("delete")
        del self._world.rows[key["leaseKey"]["S"]]
        self._answer()

    async def update_item(
        self,
        _table: str,
        key: dict[str, Any],
        update: str,
        condition: str,
        names: dict[str, str] | None = None,
        values: dict[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        await self._dynamodb()
        values = values or {}
        old = self._world.rows.get(key["leaseKey"]["S"])
        if old is None or not _holds(condition, old, values):
            raise ConditionFailed(update, dict(old) if old and return_old_on_failure else None)
        new = _updated(old, update, names or {}, values)
        self._world.judge_write(old, new)
        self._world.rows[key["leaseKey"]["S"]] = new
        self._answer()


def _is_an_operators(before: Lease, after: Lease) -> bool:
    """Whether a write is a request or its like, perhaps repeated, which leaves the counter to the owner."""
    if before == after:
        return True
    return (before.paused, before.rewind_to, before.release_asked_of) != (
        after.paused,
        after.rewind_to,
        after.release_asked_of,
    )


def _holds(condition: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    for part in condition.split(" AND "):
        if part.startswith("attribute_not_exists("):
            if part[21:-1] in row:
                return False
        elif part.startswith("attribute_exists("):
            if part[17:-1] not in row:
                return False
        else:
            name, _, value = part.split(" ")
            if row.get(name) != values[value]:
                return False
    return True


def _updated(
    row: Mapping[str, Any], update: str, names: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, Any]:
    new = dict(row)
    sets, _, removes = update.removeprefix("SET ").partition(" REMOVE ")
    for assignment in sets.split(", "):
        name, _, value = assignment.split(" ")
        new[names.get(name, name)] = values[value]
    for name in removes.split(", ") if removes else ():
        new.pop(names.get(name, name), None)
    return new
