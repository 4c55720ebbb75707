"""The limits of a shard: what a second lets through, for whom, and what a read of 10 MB costs."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import Any

from tests.fault.faults import Answer, Call
from tests.fault.shard_limits import EXCEEDED, MB, ReadLimits, Shares, WriteLimits, hash_key

LIFTED = asyncio.Event()


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_shard_lets_so_many_through_and_begins_anew_after_a_second() -> None:
    shares = Shares(5, 2 * MB)
    assert [shares.enter(100 + 0.1 * n) for n in range(7)] == [None] * 5 + ["count"] * 2
    assert shares.enter(100.99) == "count"
    assert shares.enter(101.0) is None


def test_after_10_mb_nothing_is_read_for_5_seconds_from_when_they_were_given() -> None:
    shares = Shares(5, 2 * MB)
    assert shares.enter(98.5) is None
    shares.add(10 * MB, 100)
    assert [shares.enter(100 + s) for s in (0.1, 1.0, 4.99)] == ["bytes"] * 3
    assert shares.enter(105.0) is None


def test_a_read_below_the_limit_may_end_above_it_and_the_next_waits_for_what_it_took() -> None:
    shares = Shares(5, 2 * MB)
    assert shares.enter(100) is None
    shares.add(2 * MB - 1, 100)
    assert shares.enter(100.5) is None
    shares.add(MB + 1, 100.5)
    assert shares.enter(101.49) == "bytes"
    assert shares.enter(101.5) is None


def test_what_is_known_to_be_too_large_stays_out_and_a_smaller_one_comes_in() -> None:
    shares = Shares(1000, MB)
    assert shares.enter(100, MB - 10) is None
    assert shares.enter(100, 11) == "bytes"
    assert shares.enter(100, 10) is None
    assert shares.enter(100, 1) == "bytes"


class Engine:
    """Gives iterators and records of a size, and takes what is put."""

    def __init__(self, size_bytes: int = 0) -> None:
        self.size_bytes = size_bytes
        self.fails = False
        self.put: list[str] = []
        self._iterators = 0

    async def __call__(self, body: bytes) -> Answer | None:
        if self.fails:
            return Answer(500, b"{}", {})
        asked = json.loads(body)
        self._iterators += 1
        if "Records" in asked:
            self.put += [record["PartitionKey"] for record in asked["Records"]]
            given: dict[str, Any] = {"Records": [{"SequenceNumber": "1"} for _ in asked["Records"]]}
        elif "ShardId" in asked:
            given = {"ShardIterator": f"iterator-{self._iterators}"}
        else:
            data = base64.b64encode(b"x" * self.size_bytes).decode()
            given = {"Records": [{"Data": data}], "NextShardIterator": f"iterator-{self._iterators}"}
        return Answer(200, json.dumps(given).encode(), {})


class Client:
    """Reads one shard behind the limits, as one of several clients may."""

    def __init__(self, limits: ReadLimits, engine: Engine, shard: str, stream: str = "orders") -> None:
        self._limits = limits
        self._engine = engine
        self._place = {"StreamName": stream, "ShardId": shard}
        self.iterator = ""

    async def read(self) -> int:
        """Read on; gives the status."""
        if not self.iterator:
            answer = await self._call("GetShardIterator", self._place)
            self.iterator = json.loads(answer.body)["ShardIterator"]
        answer = await self._call("GetRecords", {"ShardIterator": self.iterator})
        if answer.status == 200:
            self.iterator = json.loads(answer.body)["NextShardIterator"]
        elif answer.status == 400:
            assert json.loads(answer.body)["__type"] == EXCEEDED
        return answer.status

    async def _call(self, operation: str, asked: dict[str, Any]) -> Answer:
        body = json.dumps(asked).encode()
        call = Call(f"Kinesis_20131202.{operation}", body, random.Random(1))
        answer = await self._limits.apply(call, body, self._engine, LIFTED)
        assert answer is not None
        return answer


async def test_all_clients_of_a_shard_share_its_reads_and_another_shard_has_its_own() -> None:
    clock, engine = Clock(), Engine()
    limits = ReadLimits(clock)
    one, two = Client(limits, engine, "s-1"), Client(limits, engine, "s-1")
    assert [await client.read() for client in (one, two) * 3] == [200] * 5 + [400]
    assert await Client(limits, engine, "s-2").read() == 200
    assert await Client(limits, engine, "s-1", "other-stream").read() == 200
    assert limits.served == {"orders/s-1": 5, "orders/s-2": 1, "other-stream/s-1": 1}
    assert limits.refused == {"count": 1}
    clock.now_s += 1.0
    assert await two.read() == 200


async def test_bytes_are_those_of_the_records_and_shared_too() -> None:
    clock, engine = Clock(), Engine(size_bytes=MB + 1)
    limits = ReadLimits(clock)
    one, two = Client(limits, engine, "s-1"), Client(limits, engine, "s-1")
    assert [await one.read(), await two.read(), await one.read()] == [200, 200, 400]
    assert limits.refused == {"bytes": 1}
    clock.now_s += 1.01
    assert await one.read() == 200


async def test_a_read_that_failed_counts_as_a_read_and_its_iterator_is_still_known() -> None:
    engine = Engine(size_bytes=MB)
    limits = ReadLimits(Clock())
    client = Client(limits, engine, "s-1")
    assert await client.read() == 200
    engine.fails = True
    assert [await client.read(), await client.read()] == [500, 500]
    engine.fails = False
    assert [await client.read(), await client.read()] == [200, 400], (
        "two reads gave 2 MB, failed ones nothing"
    )
    assert limits.refused == {"bytes": 1}
    assert limits.unknown == 0


async def test_an_iterator_that_nobody_saw_passes_and_is_told() -> None:
    limits, engine = ReadLimits(Clock()), Engine()
    client = Client(limits, engine, "s-1")
    client.iterator = "from before"
    assert await client.read() == 200
    assert limits.unknown == 1


async def _put(limits: WriteLimits, engine: Engine, *records: tuple[str, bytes]) -> list[str | None]:
    entries = [{"PartitionKey": key, "Data": base64.b64encode(data).decode()} for key, data in records]
    body = json.dumps({"StreamName": "orders", "Records": entries}).encode()
    call = Call("Kinesis_20131202.PutRecords", body, random.Random(1))
    answer = await limits.apply(call, body, engine, LIFTED)
    assert answer is not None
    return [outcome.get("ErrorCode") for outcome in json.loads(answer.body)["Records"]]


def _halves() -> list[Any]:
    middle, end = 2**127, 2**128
    ranges = [(0, middle - 1), (middle, end - 1)]
    return [{"HashKeyRange": {"StartingHashKey": str(a), "EndingHashKey": str(b)}} for a, b in ranges]


async def test_records_beyond_what_their_shard_takes_fail_alone() -> None:
    clock, engine = Clock(), Engine()
    limits = WriteLimits(_halves(), clock)
    low = next(key for key in map(str, range(99)) if hash_key(key) < 2**127)
    high = next(key for key in map(str, range(99)) if hash_key(key) >= 2**127)
    half = b"x" * (MB // 2)
    assert await _put(limits, engine, (low, half), (low, half), (high, half)) == [None, EXCEEDED, None]
    assert engine.put == [low, high]
    assert limits.refused == {"bytes": 1}
    clock.now_s += 1.0
    assert await _put(limits, engine, *[(low, b"x")] * 1001) == [None] * 1000 + [EXCEEDED]
    assert limits.refused == {"bytes": 1, "count": 1}
