"""Kinesis, DynamoDB and S3 of constant cost, so that a bench measures lake_writer and not an engine.

Beside what `bench/writer_stub.py` does there is an empty stream of dead letters, and objects are taken and not kept:
only the rows that their footers name are counted.
"""

from __future__ import annotations

import io
import json
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import pyarrow.parquet as parquet
from aiohttp import web

from bench.writer_stub import Stub

BUCKET, REJECTED = "bench-lake", "bench-rejected"
LEASES = ("bench-leases-lake_writer", "bench-leases-lake_writer-rejected")
_NOTHING = {"Records": [], "NextShardIterator": REJECTED, "MillisBehindLatest": 0}


class LakeStub(Stub):
    """All three services.

    Args:
        written: counts the rows of objects.
    """

    def __init__(
        self, records: list[tuple[bytes, str]], go: Synchronized[int], written: Synchronized[int]
    ) -> None:
        super().__init__(records, go, written, LEASES)

    async def _handle(self, request: web.Request) -> web.Response:
        if "X-Amz-Target" in request.headers:
            return await super()._handle(request)
        if request.method == "PUT":
            rows = parquet.read_metadata(io.BytesIO(await request.read())).num_rows
            with self._written.get_lock():
                self._written.value += rows
        return web.Response(headers={"ETag": '"x"'})

    async def _iterator(self, asked: dict[str, Any]) -> bytes:
        if asked["StreamName"] == REJECTED:
            return json.dumps({"ShardIterator": REJECTED}).encode()
        return await super()._iterator(asked)

    async def _get_records(self, asked: dict[str, Any]) -> bytes:
        if asked["ShardIterator"] == REJECTED:
            return json.dumps(_NOTHING).encode()
        return await super()._get_records(asked)
