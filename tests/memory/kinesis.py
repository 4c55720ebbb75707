"""Kinesis in memory: shards with parents, iterators that expire, faults on demand."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from services.kernel.adapters.kinesis import MAX_RECORDS_PER_GET, ExpiredIterator, Kinesis
from services.kernel.core.errors import MissingResource, Refused
from services.kernel.streams.records import Failed, Fetch, Position, Put, Record, Shard, Stored

_ITERATOR_LIFE_S = 300.0
_HASH_KEYS = 2**128
Fault = Callable[[str], BaseException | None]


@dataclass
class _MemoryShard:
    shard: Shard
    records: list[Record] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


@dataclass
class _Stream:
    shards: dict[str, _MemoryShard] = field(default_factory=dict)
    retention_hours: int = 24


@dataclass(frozen=True)
class _Iterator:
    stream: str
    shard_id: str
    index: int
    made_at: float


def _no_fault(_operation: str) -> BaseException | None:
    return None


class MemoryKinesis(Kinesis):
    """A Kinesis without a network.

    Args:
        clock: seconds since the epoch.

    `fault` is asked before every call with the operation's name and may return an error to raise. The codes in
    `failures` are given to the next records put, one each, instead of storing them; "" stores. `fault_after` is asked
    once a batch is stored: an answer that is lost.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(client=None)
        self.fault: Fault = _no_fault
        self.fault_after: Fault = _no_fault
        self.failures: list[str] = []
        self.batches: list[int] = []
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._iterators: dict[str, _Iterator] = {}
        self._sequence = itertools.count(
            49_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_001
        )
        self._names = itertools.count(1)

    async def put_records(self, stream: str, records: Sequence[tuple[bytes, str]]) -> list[Put]:
        self._check("put_records")
        if not 1 <= len(records) <= 500:
            raise Refused(f"PutRecords {stream}: {len(records)} records")
        self.batches.append(len(records))
        outcomes = [self._put(self._stream(stream), data, key) for data, key in records]
        error = self.fault_after("put_records")
        if error is not None:
            raise error
        return outcomes

    async def list_shards(self, stream: str) -> list[Shard]:
        self._check("list_shards")
        return [held.shard for held in self._stream(stream).shards.values()]

    async def shard_iterator(self, stream: str, shard_id: str, position: Position) -> str:
        self._check("shard_iterator")
        held = self._shard(stream, shard_id)
        return self._iterator(stream, shard_id, _index(held.records, position))

    async def get_records(
        self,
        iterator: str,
        limit: int = MAX_RECORDS_PER_GET,
        stream: str | None = None,
        shard_id: str = "",
    ) -> Fetch:
        self._check("get_records")
        found = self._iterators.get(iterator)
        if found is None or self._clock() - found.made_at > _ITERATOR_LIFE_S:
            raise ExpiredIterator("GetRecords")
        held = self._shard(found.stream, found.shard_id)
        end = min(found.index + limit, len(held.records))
        records = [replace(record, shard_id=shard_id) for record in held.records[found.index : end]]
        if held.shard.closed and end == len(held.records):
            return Fetch(records, None, 0, list(held.children))
        behind_ms = (
            int(self._clock() * 1000) - held.records[end].arrived_at_ms if end < len(held.records) else 0
        )
        return Fetch(records, self._iterator(found.stream, found.shard_id, end), max(0, behind_ms))

    async def create_stream(self, stream: str, shards: int) -> bool:
        self._check("create_stream")
        if stream in self._streams:
            return False
        made = self._streams[stream] = _Stream()
        for number in range(shards):
            start = _HASH_KEYS * number // shards
            end = _HASH_KEYS * (number + 1) // shards - 1
            self._add(made, start, end)
        return True

    async def delete_stream(self, stream: str) -> None:
        self._check("delete_stream")
        self._streams.pop(stream, None)

    async def stream_status(self, stream: str) -> str | None:
        self._check("stream_status")
        return "ACTIVE" if stream in self._streams else None

    async def retention_hours(self, stream: str) -> int:
        self._check("retention_hours")
        return self._stream(stream).retention_hours

    async def update_retention(self, stream: str, hours: int) -> None:
        self._check("update_retention")
        self._stream(stream).retention_hours = hours

    async def split_shard(self, stream: str, shard_id: str, new_starting_hash_key: str) -> None:
        self._check("split_shard")
        parent = self._open_shard(stream, shard_id).shard
        middle = int(new_starting_hash_key)
        self._reshard(
            stream,
            [parent],
            [
                (int(parent.starting_hash_key), middle - 1),
                (middle, int(parent.ending_hash_key)),
            ],
        )

    async def merge_shards(self, stream: str, shard_id: str, adjacent_shard_id: str) -> None:
        self._check("merge_shards")
        parents = [self._open_shard(stream, one).shard for one in (shard_id, adjacent_shard_id)]
        start = min(int(parent.starting_hash_key) for parent in parents)
        end = max(int(parent.ending_hash_key) for parent in parents)
        self._reshard(stream, parents, [(start, end)])

    def expire_iterators(self) -> None:
        """Make every iterator given out so far useless."""
        self._iterators.clear()

    def trim(self, stream: str, shard_id: str, records: int) -> None:
        """Forget the oldest records of a shard, as retention does."""
        held = self._shard(stream, shard_id)
        del held.records[:records]
        self._iterators.clear()

    def drop_shard(self, stream: str, shard_id: str) -> None:
        """Forget a closed shard, as retention does once its last record is gone."""
        del self._stream(stream).shards[shard_id]

    def records(self, stream: str) -> list[Record]:
        """Everything that the stream holds, by shard."""
        return [
            replace(record, shard_id=held.shard.shard_id)
            for held in self._stream(stream).shards.values()
            for record in held.records
        ]

    def _check(self, operation: str) -> None:
        error = self.fault(operation)
        if error is not None:
            raise error

    def _stream(self, name: str) -> _Stream:
        if name not in self._streams:
            raise MissingResource(f"{name}: no such stream")
        return self._streams[name]

    def _shard(self, stream: str, shard_id: str) -> _MemoryShard:
        shards = self._stream(stream).shards
        if shard_id not in shards:
            raise MissingResource(f"{stream}: no shard {shard_id}")
        return shards[shard_id]

    def _open_shard(self, stream: str, shard_id: str) -> _MemoryShard:
        held = self._shard(stream, shard_id)
        if held.shard.closed:
            raise Refused(f"{stream}: {shard_id} is closed")
        return held

    def _add(self, stream: _Stream, start: int, end: int, parents: tuple[str, ...] = ()) -> str:
        shard_id = f"shardId-{len(stream.shards):012d}"
        shard = Shard(shard_id, parents, str(start), str(end))
        stream.shards[shard_id] = _MemoryShard(shard)
        return shard_id

    def _reshard(self, name: str, parents: Sequence[Shard], ranges: Sequence[tuple[int, int]]) -> None:
        stream = self._stream(name)
        ids = tuple(parent.shard_id for parent in parents)
        children = [self._add(stream, start, end, ids) for start, end in ranges]
        for parent in parents:
            held = stream.shards[parent.shard_id]
            held.shard = replace(parent, closed=True)
            held.children = children

    def _put(self, stream: _Stream, data: bytes, key: str) -> Put:
        code = self.failures.pop(0) if self.failures else ""
        if code:
            return Failed(code, "injected")
        hash_key = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest(), "big")
        for held in stream.shards.values():
            shard = held.shard
            if not shard.closed and int(shard.starting_hash_key) <= hash_key <= int(shard.ending_hash_key):
                number = next(self._sequence)
                held.records.append(Record(shard.shard_id, number, key, data, int(self._clock() * 1000)))
                return Stored(shard.shard_id, number)
        raise AssertionError("the open shards cover every hash key")

    def _iterator(self, stream: str, shard_id: str, index: int) -> str:
        name = f"iterator-{next(self._names)}"
        self._iterators[name] = _Iterator(stream, shard_id, index, self._clock())
        return name


def _index(records: Sequence[Record], position: Position) -> int:
    """Where reading starts; a position that retention has passed starts at the oldest record left."""
    if position.kind == "LATEST":
        return len(records)
    return next((at for at, record in enumerate(records) if _reached(record, position)), len(records))


def _reached(record: Record, position: Position) -> bool:
    if position.kind == "AFTER_SEQUENCE_NUMBER":
        return record.sequence_number > (position.sequence_number or 0)
    if position.kind == "AT_SEQUENCE_NUMBER":
        return record.sequence_number >= (position.sequence_number or 0)
    return position.kind != "AT_TIMESTAMP" or record.arrived_at_ms >= (position.timestamp_ms or 0)
