"""Small records on their way into aggregates: which go together, and who waits for which.

What goes together has one hash key, so that no reshard can part it: the hash keys of a stream are cut into groups, a
record belongs to the group that its partition key falls into, and everything in an aggregate carries its group's hash
key as explicit one. So a key's records stay in order, the shard that the stream chooses is always the one where every
record inside belongs, and the Kinesis Client Library has no reason to drop any. No map of the shards is needed, and
none can be stale.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache

from services.kernel.streams.aggregation import ENVELOPE_BYTES, MAX_MEMBERS, MEMBER_BYTES, Member, aggregate
from services.kernel.streams.producer_queue import Entry
from services.kernel.streams.records import Stored

MAX_GROUPS = 256
_HASH_KEY_BYTES = 41  # of a decimal number of 128 bits with tag and length
OVERHEAD_BYTES = (
    ENVELOPE_BYTES + _HASH_KEY_BYTES + MEMBER_BYTES + 43
)  # 43: the aggregate's own key, spare room


class Waiting:
    """One put that waits for its aggregate."""

    __slots__ = ("data", "future", "held", "key")

    def __init__(self, key: str, data: bytes, held: int, future: asyncio.Future[Stored]) -> None:
        self.key = key
        self.data = data
        self.held = held
        self.future = future


class Pack:
    """An aggregate that is being filled, or is on its way; its entry is what the producer sends."""

    def __init__(self, group: int, hash_key: str, entry: Entry) -> None:
        self.group = group
        self.entry = entry
        self.size_bytes = ENVELOPE_BYTES + _HASH_KEY_BYTES
        self.waiting: list[Waiting] = []
        self.sealed = False
        self._hash_key = hash_key
        entry.future.add_done_callback(self._tell)

    def seal(self) -> None:
        """Make the aggregate; nothing can be added any more."""
        self.sealed = True
        entry = self.entry
        entry.data = aggregate([Member(one.key, one.data, self._hash_key) for one in self.waiting])
        entry.size_bytes = len(entry.data) + len(entry.key)
        entry.records = len(self.waiting)
        for one in self.waiting:
            one.data = b""

    def _tell(self, outcome: asyncio.Future[Stored]) -> None:
        error = None if outcome.cancelled() else outcome.exception()
        for one in self.waiting:
            if one.future.done():
                continue
            if outcome.cancelled():
                one.future.cancel()
            elif error is not None:
                one.future.set_exception(error)
            else:
                one.future.set_result(outcome.result())


class Packs:
    """The aggregates that are being filled, one a group.

    Args:
        groups: a power of two up to 256; no more shards than this get records.
        max_records, max_bytes: of one aggregate; a single record may be larger than `max_bytes`.

    Raises:
        ValueError: a number is outside its bounds.
    """

    def __init__(self, groups: int, max_records: int, max_bytes: int) -> None:
        if not 1 <= groups <= MAX_GROUPS or groups & (groups - 1):
            raise ValueError(f"groups is a power of two from 1 to {MAX_GROUPS}")
        if not 1 <= max_records <= MAX_MEMBERS:
            raise ValueError(f"an aggregate has 1 to {MAX_MEMBERS} records")
        self._keys = group_keys(groups)
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._open: dict[int, Pack] = {}

    def __len__(self) -> int:
        return len(self._open)

    def group_of(self, partition_key: str) -> int:
        """The group that a partition key falls into."""
        return _md5(partition_key)[0] * len(self._keys) // MAX_GROUPS

    def key_of(self, group: int) -> str:
        """The partition key under which a group's aggregates are put; its hash is the group's hash key."""
        return self._keys[group][0]

    def find(self, group: int) -> Pack | None:
        """The group's aggregate that is being filled."""
        pack = self._open.get(group)
        return None if pack is None or pack.entry.future.done() else pack

    def begin(self, group: int, entry: Entry) -> Pack:
        """Begin to fill an aggregate."""
        pack = self._open[group] = Pack(group, self._keys[group][1], entry)
        return pack

    def fits(self, pack: Pack, key: str, data: bytes) -> bool:
        """Whether one more record may come into it."""
        return pack.size_bytes + _most_bytes(key, data) <= self._max_bytes

    def add(self, pack: Pack, one: Waiting) -> bool:
        """Put one more into it.

        Returns:
            Whether it is full now.
        """
        pack.waiting.append(one)
        pack.size_bytes += _most_bytes(one.key, one.data)
        return len(pack.waiting) >= self._max_records or pack.size_bytes >= self._max_bytes

    def close(self, pack: Pack) -> None:
        """Fill it no more."""
        if self._open.get(pack.group) is pack:
            del self._open[pack.group]

    def close_all(self) -> list[Pack]:
        """Fill none of them any more."""
        packs = [pack for pack in self._open.values() if not pack.entry.future.done()]
        self._open.clear()
        return packs


@cache
def group_keys(groups: int) -> tuple[tuple[str, str], ...]:
    """A partition key and the hash key that is its hash, in decimal, for each group; the same ones for ever.

    Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html: the hash is the MD5 of the
    partition key as a number of 128 bits.
    """
    found: dict[int, tuple[str, str]] = {}
    number = 0
    while len(found) < groups:
        name = f"aggregate-{number}"
        digest = _md5(name)
        found.setdefault(digest[0] * groups // MAX_GROUPS, (name, str(int.from_bytes(digest, "big"))))
        number += 1
    return tuple(found[group] for group in range(groups))


def _most_bytes(key: str, data: bytes) -> int:
    return len(data) + len(key.encode()) + MEMBER_BYTES


def _md5(key: str) -> bytes:
    return hashlib.md5(key.encode(), usedforsecurity=False).digest()
