"""A Kinesis of constant cost to read from, so that a bench measures the consumer and not an engine.

`python -m bench.consumer.stub COUNT SIZE_BYTES GO_FILE` prints its port and serves on 127.0.0.1 until it is killed:
one stream of four shards with COUNT numbered records, each with a partition key of its own. Until GO_FILE exists
every shard looks empty. A read gives what was asked for, at most 10,000 records and 10 MiB, as Kinesis does.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from bench import loopback
from bench.consumer.handler import data_of

SHARDS = 4
STREAM = "bench"
FIRST_SEQUENCE_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
_MAX_BYTES = 10 * 1024 * 1024


class Stub:
    """The stream."""

    def __init__(self, count: int, size_bytes: int, go: Path) -> None:
        self._size_bytes = size_bytes
        self._numbers = [range(shard, count, SHARDS) for shard in range(SHARDS)]
        self._go = go
        self._gone = False
        self.page = cache(self._page)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        asked = json.loads(await request.read() or b"{}")
        body = self._answer(operation, asked)
        return web.Response(body=body, status=200 if body else 400, content_type="application/x-amz-json-1.1")

    def _answer(self, operation: str, asked: dict[str, Any]) -> bytes:
        if operation == "GetRecords":
            return self._get_records(asked)
        if operation == "GetShardIterator":
            after = asked.get("StartingSequenceNumber")
            at = int(after) - FIRST_SEQUENCE_NUMBER + 1 if after else 0
            return json.dumps({"ShardIterator": f"{int(asked['ShardId'][-12:])}:{at}"}).encode()
        if operation == "ListShards":
            return json.dumps({"Shards": _shards()}).encode()
        if operation == "DescribeStream":
            description = {"StreamName": STREAM, "StreamStatus": "ACTIVE", "HasMoreShards": False}
            return json.dumps({"StreamDescription": {**description, "Shards": _shards()}}).encode()
        return b""

    def _get_records(self, asked: dict[str, Any]) -> bytes:
        shard, at = map(int, asked["ShardIterator"].split(":"))
        self._gone = self._gone or self._go.exists()
        if not self._gone or at >= len(self._numbers[shard]):
            iterator = asked["ShardIterator"]
            return json.dumps(
                {"Records": [], "NextShardIterator": iterator, "MillisBehindLatest": 0}
            ).encode()
        return self.page(shard, at, int(asked.get("Limit", 10_000)))

    def _page(self, shard: int, at: int, limit: int) -> bytes:
        numbers = self._numbers[shard][at : at + min(limit, _MAX_BYTES // self._size_bytes)]
        arrived = f"{time.time():.3f}"
        records = ",".join(
            f'{{"SequenceNumber":"{FIRST_SEQUENCE_NUMBER + at + place}",'
            f'"ApproximateArrivalTimestamp":{arrived},'
            f'"Data":"{base64.b64encode(data_of(number, self._size_bytes)).decode()}",'
            f'"PartitionKey":"key-{number}"}}'
            for place, number in enumerate(numbers)
        )
        end = at + len(numbers)
        behind_ms = len(self._numbers[shard]) - end
        return (
            f'{{"Records":[{records}],"NextShardIterator":"{shard}:{end}","MillisBehindLatest":{behind_ms}}}'
        ).encode()


def shard_id(shard: int) -> str:
    """The id of a shard by its number."""
    return f"shardId-{shard:012}"


def _shards() -> list[dict[str, Any]]:
    step = 2**128 // SHARDS
    return [
        {
            "ShardId": shard_id(at),
            "HashKeyRange": {"StartingHashKey": str(at * step), "EndingHashKey": str((at + 1) * step - 1)},
            "SequenceNumberRange": {"StartingSequenceNumber": str(FIRST_SEQUENCE_NUMBER)},
        }
        for at in range(SHARDS)
    ]


async def main(count: int, size_bytes: int, go: Path) -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=1024 * 1024)
    app.router.add_post("/", Stub(count, size_bytes, go).handle)
    await loopback.serve(app)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
