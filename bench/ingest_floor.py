"""The floor of the ingest bench: an aiohttp handler that puts the unparsed body by batched aiobotocore PutRecords.

No token, no validation, no limits, no metrics; it answers 202 after its batch was accepted. `python -m
bench.ingest_floor` reads CADABRA_KINESIS_ENDPOINT, prints its port on a line of its own, serves until killed.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import web

from bench import loopback

MAX_RECORDS = 500
LINGER_S = 0.01
IN_FLIGHT = 8


class Batches:
    """Collects records for LINGER_S or up to MAX_RECORDS; every record of a batch shares one future."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._records: list[dict[str, Any]] = []
        self._stored: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._calls: set[asyncio.Task[None]] = set()

    def add(self, data: bytes, key: str) -> asyncio.Future[None]:
        """Take a record; the future is done once Kinesis has it."""
        stored = self._stored
        self._records.append({"Data": data, "PartitionKey": key})
        if len(self._records) >= MAX_RECORDS:
            self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._flush)
        return stored

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        call = self._loop.create_task(self._put(self._records, self._stored))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        self._records, self._stored = [], self._loop.create_future()

    async def _put(self, records: list[dict[str, Any]], stored: asyncio.Future[None]) -> None:
        async with self._slots:
            answer = await self._client.put_records(StreamName="cadabra-orders", Records=records)
        if answer["FailedRecordCount"]:
            stored.set_exception(RuntimeError("records failed"))
        else:
            stored.set_result(None)


async def main() -> None:
    """Serve until killed."""
    config = AioConfig(max_pool_connections=IN_FLIGHT, retries={"max_attempts": 1})
    async with get_session().create_client(
        "kinesis", endpoint_url=os.environ["CADABRA_KINESIS_ENDPOINT"], region_name="us-east-1", config=config
    ) as client:
        batches = Batches(client)
        number = 0

        async def take(request: web.Request) -> web.Response:
            nonlocal number
            number += 1
            await batches.add(await request.read(), str(number))
            return web.Response(status=202)

        app = web.Application()
        app.router.add_post("/v1/orders", take)
        await loopback.serve(app)


if __name__ == "__main__":
    asyncio.run(main())
