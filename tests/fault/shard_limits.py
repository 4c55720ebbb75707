"""What a shard gives and takes in a second, shared by all its clients, in front of an engine that has no limits.

Source: Amazon Kinesis Data Streams, Quotas and limits, and GetRecords in its Service Reference: a shard serves 5
GetRecords and 2 MB a second; after a read of 10 MB the calls of the next 5 seconds are refused. It takes 1,000 records
and 1 MB a second, partition keys included; what is beyond fails record by record.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tests.fault.faults import Answer, Call, Json, Send, put_spared, refusal

MB = 1024 * 1024
READS_PER_S = 5
READ_BYTES_PER_S = 2 * MB
WRITTEN_RECORDS_PER_S = 1_000
WRITTEN_BYTES_PER_S = 1 * MB

EXCEEDED = "ProvisionedThroughputExceededException"
Limit = Literal["count", "bytes"]


class Window:
    """How much of one thing went through in the current second, which lasts longer when that was too much. Pure.

    Args:
        per_s: what a second lets through.
    """

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._began_at_s = float("-inf")
        self._used = 0

    def fits(self, amount: int, now_s: float) -> bool:
        """Whether so much more goes through now; the time is monotonic seconds."""
        return (0 if self._over(now_s) else self._used) + amount <= self._per_s

    def add(self, amount: int, now_s: float) -> None:
        """Note what went through; it may be more than fits, for what a read gives is known only afterwards."""
        if self._over(now_s):
            self._began_at_s, self._used = now_s, 0
        self._used += amount

    def _over(self, now_s: float) -> bool:
        return now_s >= self._began_at_s + max(1.0, self._used / self._per_s)


class Shares:
    """What one shard still lets through, in number and in bytes. Pure."""

    def __init__(self, count_per_s: int, bytes_per_s: int) -> None:
        self._count = Window(count_per_s)
        self._bytes = Window(bytes_per_s)

    def enter(self, now_s: float, size_bytes: int = 0) -> Limit | None:
        """Let one read or record through, or say which limit keeps it out.

        Args:
            size_bytes: what goes through with it; 0 for a read, of which `add` tells later.
        """
        if not self._count.fits(1, now_s):
            return "count"
        if not self._bytes.fits(max(1, size_bytes), now_s):
            return "bytes"
        self._count.add(1, now_s)
        self.add(size_bytes, now_s)
        return None

    def add(self, size_bytes: int, now_s: float) -> None:
        """Note what a read that was let through has given."""
        if size_bytes:
            self._bytes.add(size_bytes, now_s)


class ReadLimits:
    """Refuses GetRecords beyond the limits of the shard that its iterator reads, whoever asks.

    It has to see GetShardIterator too: an iterator tells its shard to nobody but the engine.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shard_of: dict[str, str] = {}
        self._shares: defaultdict[str, Shares] = defaultdict(lambda: Shares(READS_PER_S, READ_BYTES_PER_S))
        self.served: Counter[str] = Counter()
        """Reads that were let through, by stream/shard."""
        self.refused: Counter[Limit] = Counter()
        """Reads that were refused, by the limit that was reached."""
        self.unknown = 0
        """Reads by an iterator that was given out unseen: they pass, and a test wants none."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Learn from GetShardIterator, judge GetRecords, leave all others alone."""
        if call.operation == "GetShardIterator":
            answer = await send(body)
            asked = json.loads(body)
            self._learn(answer, "ShardIterator", f"{call.resource}/{asked['ShardId']}")
            return answer
        if call.operation != "GetRecords":
            return await send(body)
        shard = self._shard_of.get(json.loads(body)["ShardIterator"])
        if shard is None:
            self.unknown += 1
            return await send(body)
        return await self._read(shard, call, body, send)

    async def _read(self, shard: str, call: Call, body: bytes, send: Send) -> Answer | None:
        shares = self._shares[shard]
        limit = shares.enter(self._clock())
        if limit is not None:
            self.refused[limit] += 1
            return refusal(
                call, 400, EXCEEDED, f"Rate exceeded for shard {shard} ({limit}), says the fault proxy"
            )
        self.served[shard] += 1
        answer = await send(body)
        fetched = self._learn(answer, "NextShardIterator", shard)
        shares.add(sum(_size_bytes(record["Data"]) for record in fetched.get("Records", ())), self._clock())
        return answer

    def _learn(self, answer: Answer | None, name: str, shard: str) -> Json:
        """Remember the iterator in an answer; gives what the answer says, nothing if it is an error."""
        if answer is None or answer.status != 200:
            return {}
        said: Json = json.loads(answer.body)
        if said.get(name):
            self._shard_of[said[name]] = shard
        return said


@dataclass(frozen=True, slots=True)
class _Range:
    first: int
    last: int
    shares: Shares


class WriteLimits:
    """Fails the records of a PutRecords that are beyond what their shard takes in a second, whoever puts them.

    Args:
        shards: those that are open, as ListShards tells of them.
        clock: monotonic seconds.
    """

    def __init__(self, shards: Iterable[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ranges = [
            _Range(
                int(shard["HashKeyRange"]["StartingHashKey"]),
                int(shard["HashKeyRange"]["EndingHashKey"]),
                Shares(WRITTEN_RECORDS_PER_S, WRITTEN_BYTES_PER_S),
            )
            for shard in shards
        ]
        self.refused: Counter[Limit] = Counter()
        """Records that failed, by the limit that was reached."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Let each record into its shard or fail it alone."""
        if call.operation != "PutRecords":
            return await send(body)
        asked: Json = json.loads(body)
        limits = [self._enter(record) for record in asked["Records"]]
        self.refused.update(limit for limit in limits if limit is not None)
        return await put_spared(asked, [EXCEEDED if limit else "" for limit in limits], send)

    def _enter(self, record: Json) -> Limit | None:
        number = int(record.get("ExplicitHashKey") or hash_key(record["PartitionKey"]))
        shares = next(one.shares for one in self._ranges if one.first <= number <= one.last)
        return shares.enter(self._clock(), _size_bytes(record["Data"]) + len(record["PartitionKey"].encode()))


def hash_key(partition_key: str) -> int:
    """Where Kinesis places a partition key: its MD5 as a number of 128 bits."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def _size_bytes(data: str) -> int:
    """How many bytes base64 stands for."""
    return len(base64.b64decode(data))
