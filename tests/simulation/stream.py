"""A stream that is put to, split and merged, some of its records aggregates of many."""

from __future__ import annotations

import bisect
import hashlib
import random
from dataclasses import dataclass, field, replace

from services.kernel.streams.aggregation import MAGIC, Member, aggregate
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Position, Record, Shard

MAX_HASH = 2**128 - 1
KEYS = 12
# Sequence numbers are so far apart that every record inside an aggregate has a number of its own between them.
SPACING = 64
MOST_MEMBERS = 12
BAD = b"bad"  # a record's data that its handler refuses
_BAD_SHARE = 0.01
_UNREADABLE_SHARE = 0.02  # of aggregates
_UNREADABLE = b"\x1a\xff"


@dataclass(slots=True)
class SimShard:
    """One shard: its place in the graph and what it holds.

    Args:
        records, numbers: as Kinesis has them, and their sequence numbers.
        places, arrived_ms: of the records that the group handles, those inside aggregates among them; a place is the
            sequence number and the sub-sequence in one number.
    """

    shard: Shard
    start: int
    end: int
    records: list[Record] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    arrived_ms: list[int] = field(default_factory=list)
    children: list[str] = field(default_factory=list)

    def index(self, position: Position) -> int:
        """Where among its records reading from a position begins."""
        if position.timestamp_ms is not None:
            return bisect.bisect_left(self.records, position.timestamp_ms, key=lambda r: r.arrived_at_ms)
        if position.sequence_number is None:
            return 0
        side = bisect.bisect_right if position.kind == "AFTER_SEQUENCE_NUMBER" else bisect.bisect_left
        return side(self.numbers, position.sequence_number)

    def done(self, lease: Lease) -> int:
        """How many of its places a lease says are done."""
        if lease.ended:
            return len(self.places)
        if lease.place is not None:
            return bisect.bisect_right(self.places, sum(lease.place))
        first = self.index(lease.position)
        return (
            bisect.bisect_left(self.places, self.numbers[first])
            if first < len(self.numbers)
            else len(self.places)
        )


def place_of(record: Record) -> int:
    """The number that tells a record from all others of the stream, later ones larger."""
    return record.sequence_number + record.sub_sequence


class SimStream:
    """Shards by id, in the order in which they were made.

    Args:
        aggregated: the share of puts that carry many records.
    """

    def __init__(self, rng: random.Random, shards: int, aggregated: float) -> None:
        self.shards: dict[str, SimShard] = {}
        self.before: dict[int, int] = {}
        """The place of the record before of the same key, by place."""
        self.total = 0
        self._rng = rng
        self._aggregated = aggregated
        self._puts = 0
        self._last_of_key: dict[str, int] = {}
        self._hashes = {f"k{n}": (n * 0x9E3779B97F4A7C15F39CC0605CEDC835) & MAX_HASH for n in range(KEYS)}
        self._keys = list(self._hashes)
        width = (MAX_HASH + 1) // shards
        for n in range(shards):
            self._add(n * width, MAX_HASH if n == shards - 1 else (n + 1) * width - 1, ())
        self._open = self._by_hash()

    def put(self, at_s: float) -> None:
        """Put one record of one key, or an aggregate of several keys that belong into one shard."""
        key = self._keys[int(self._rng.random() * KEYS)]
        hash_key = self._hashes[key]
        shard = next(shard for shard in self._open if hash_key <= shard.end)
        self._puts += 1
        if self._rng.random() < self._aggregated:
            self._put_aggregate(shard, key, int(at_s * 1000))
        else:
            self._store(shard, key, self._data(), [key], int(at_s * 1000))

    def _put_aggregate(self, shard: SimShard, key: str, at_ms: int) -> None:
        if self._rng.random() < _UNREADABLE_SHARE:
            digest = hashlib.md5(_UNREADABLE, usedforsecurity=False).digest()
            self._store(shard, key, MAGIC + _UNREADABLE + digest, [], at_ms)
            return
        near = [k for k, hash_key in self._hashes.items() if shard.start <= hash_key <= shard.end]
        keys = [self._rng.choice(near) for _ in range(self._rng.randint(1, MOST_MEMBERS))]
        self._store(shard, key, aggregate([Member(k, self._data()) for k in keys]), keys, at_ms)

    def _data(self) -> bytes:
        return BAD if self._rng.random() < _BAD_SHARE else b"x"

    def _store(self, shard: SimShard, key: str, data: bytes, members: list[str], at_ms: int) -> None:
        """Append one record; the members' keys keep their order across reshards, what is unreadable has none."""
        number = self._puts * SPACING
        shard.records.append(Record(shard.shard.shard_id, number, key, data, at_ms))
        shard.numbers.append(number)
        for place, member in enumerate(members, number):
            if member in self._last_of_key:
                self.before[place] = self._last_of_key[member]
            self._last_of_key[member] = place
        count = len(members) or 1
        shard.places += range(number, number + count)
        shard.arrived_ms += [at_ms] * count
        self.total += count

    def open_shards(self) -> list[SimShard]:
        """The shards that take records, by hash range."""
        return self._open

    def split(self) -> None:
        """Split a shard in the middle."""
        shard = self._rng.choice(self._open)
        middle = (shard.start + shard.end) // 2
        self._close(shard)
        self._add(shard.start, middle, (shard.shard.shard_id,))
        self._add(middle + 1, shard.end, (shard.shard.shard_id,))
        self._open = self._by_hash()

    def merge(self) -> None:
        """Merge two neighbours; where there is one shard alone it is split first."""
        if len(self._open) < 2:
            self.split()
        at = self._rng.randrange(len(self._open) - 1)
        left, right = self._open[at], self._open[at + 1]
        self._close(left)
        self._close(right)
        self._add(left.start, right.end, (left.shard.shard_id, right.shard.shard_id))
        self._open = self._by_hash()

    def _add(self, start: int, end: int, parents: tuple[str, ...]) -> None:
        name = f"shardId-{len(self.shards):012d}"
        self.shards[name] = SimShard(Shard(name, parents, str(start), str(end)), start, end)
        for parent in parents:
            self.shards[parent].children.append(name)

    def _close(self, shard: SimShard) -> None:
        shard.shard = replace(shard.shard, closed=True)

    def _by_hash(self) -> list[SimShard]:
        return sorted((s for s in self.shards.values() if not s.shard.closed), key=lambda s: s.start)
