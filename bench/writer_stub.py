"""Kinesis and DynamoDB of constant cost, so that a bench measures the writer and not an engine.

Shards are read from memory, whatever is put into the order store succeeds and is not kept, and the lease table is real
enough for a consumer group. Until `go` is set every shard looks empty. Serves both services on one port.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from aiohttp import web

from services.kernel.adapters.dynamodb import ConditionFailed, Key
from tests.memory.dynamodb import MemoryDynamoDB

SHARDS = 4
RECORDS_PER_GET = 250
STREAM, TABLE, LEASES = "bench-orders", "bench-order_history", "bench-leases-dynamodb_writer"
_STATEMENT = b'"Statement"'
FIRST_SEQUENCE_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000


class Stub:
    """Both services.

    Args:
        records: data and partition key of each record, dealt over the shards.
        go: 1 once the records may be read.
        written: counts the items put into the order store.
        lease_tables: physical names.
    """

    def __init__(
        self,
        records: list[tuple[bytes, str]],
        go: Synchronized[int],
        written: Synchronized[int],
        lease_tables: Sequence[str] = (LEASES,),
    ) -> None:
        self._shards = [records[at::SHARDS] for at in range(SHARDS)]
        self._go = go
        self._written = written
        self._lease_tables = lease_tables
        self._leases = MemoryDynamoDB()
        self._pages: dict[tuple[int, int], bytes] = {}

    async def serve(self, ready: Callable[[int], None]) -> None:
        """Serve until killed; tells its port."""
        for table in self._lease_tables:
            await self._leases.create_table(table, Key("leaseKey"))
        for shard in range(SHARDS):
            for at in range(0, len(self._shards[shard]), RECORDS_PER_GET):
                self._pages[shard, at] = self._page(shard, at)
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready(runner.addresses[0][1])
        await asyncio.Event().wait()

    async def _handle(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        body = await request.read()
        if operation == "BatchExecuteStatement":
            count = body.count(_STATEMENT)
            return self._stored(count, b'{"Responses":[' + b",".join([b"{}"] * count) + b"]}")
        if operation == "PutItem" and TABLE.encode() in body[-4096:] + body[:256]:
            return self._stored(1, b"{}")
        handlers: dict[str, Callable[[dict[str, Any]], Awaitable[bytes]]] = {
            "ListShards": self._list_shards,
            "GetShardIterator": self._iterator,
            "GetRecords": self._get_records,
        }
        asked = json.loads(body)
        if operation in handlers:
            answer = await handlers[operation](asked)
            return web.Response(body=answer, content_type="application/x-amz-json-1.1")
        return await self._lease_call(operation, asked)

    def _stored(self, count: int, answer: bytes) -> web.Response:
        with self._written.get_lock():
            self._written.value += count
        return web.Response(body=answer, content_type="application/x-amz-json-1.0")

    async def _list_shards(self, _asked: dict[str, Any]) -> bytes:
        step = 2**128 // SHARDS
        shards = [
            {
                "ShardId": f"shardId-{at:012}",
                "HashKeyRange": {
                    "StartingHashKey": str(at * step),
                    "EndingHashKey": str((at + 1) * step - 1),
                },
                "SequenceNumberRange": {"StartingSequenceNumber": str(FIRST_SEQUENCE_NUMBER)},
            }
            for at in range(SHARDS)
        ]
        return json.dumps({"Shards": shards}).encode()

    async def _iterator(self, asked: dict[str, Any]) -> bytes:
        after = asked.get("StartingSequenceNumber")
        at = int(after) - FIRST_SEQUENCE_NUMBER + 1 if after else 0
        shard = int(asked["ShardId"].rpartition("-")[2])
        return json.dumps({"ShardIterator": f"{shard}:{at}"}).encode()

    async def _get_records(self, asked: dict[str, Any]) -> bytes:
        shard, at = map(int, asked["ShardIterator"].split(":"))
        empty = {"Records": [], "NextShardIterator": f"{shard}:{at}", "MillisBehindLatest": 0}
        if not self._go.value or at >= len(self._shards[shard]):
            return json.dumps(empty).encode()
        return self._pages.get((shard, at)) or self._page(shard, at)

    def _page(self, shard: int, at: int) -> bytes:
        chosen = self._shards[shard][at : at + RECORDS_PER_GET]
        records = [
            {
                "SequenceNumber": str(FIRST_SEQUENCE_NUMBER + at + ordinal),
                "ApproximateArrivalTimestamp": round(time.time(), 3),
                "Data": base64.b64encode(data).decode(),
                "PartitionKey": key,
            }
            for ordinal, (data, key) in enumerate(chosen)
        ]
        end = at + len(records)
        left = len(self._shards[shard]) - end
        page = {"Records": records, "NextShardIterator": f"{shard}:{end}", "MillisBehindLatest": left}
        return json.dumps(page).encode()

    async def _lease_call(self, operation: str, asked: dict[str, Any]) -> web.Response:
        names, values = asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues")
        table, condition = asked["TableName"], asked.get("ConditionExpression")
        answer: dict[str, Any] = {}
        try:
            if operation == "Scan":
                answer["Items"] = (await self._leases.scan_page(table)).items
            elif operation == "PutItem":
                await self._leases.put_item(table, asked["Item"], condition, names, values)
            else:
                answer["Attributes"] = await self._leases.update_item(
                    table, asked["Key"], asked["UpdateExpression"], condition, names, values
                )
        except ConditionFailed:
            answer = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
            return web.json_response(answer, status=400, content_type="application/x-amz-json-1.0")
        return web.json_response(answer, content_type="application/x-amz-json-1.0")
