"""order_ingest as a real process on a real stream, and the ways to talk to it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts import codec
from services.kernel.streams.records import Position
from tests import processes
from tests.component.order_path import OrderPath, Security, order_path
from tests.engines import Engines, local_environment
from tests.processes import ServiceProcess

NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


def an_order(order_id: str = "536365", lines: int | list[Any] = 1, **changes: Any) -> dict[str, Any]:
    """An order that the API takes."""
    line = {"stock_code": "85123A", "description": "LANTERN", "quantity": 6, "unit_price": "2.55"}
    return {
        "order_id": order_id,
        "ordered_at": "2010-12-01T08:26:00Z",
        "customer_id": "17850",
        "country": "United Kingdom",
        "currency": "GBP",
        "lines": [line] * lines if isinstance(lines, int) else lines,
    } | changes


def encoded(*documents: Any) -> bytes:
    """Documents as JSON, one a line."""
    return b"\n".join(json.dumps(document, separators=(",", ":")).encode() for document in documents)


@dataclass
class Gate:
    """One order_ingest and the stream behind it."""

    path: OrderPath
    security: Security
    session: aiohttp.ClientSession
    environment: dict[str, str]
    folder: Path
    process: ServiceProcess

    def sender(self, subject: str = "web", **claims: Any) -> dict[str, str]:
        """The header of a sender."""
        return self.security.token("sender", subject, **claims)

    async def post(
        self, body: Any, headers: dict[str, str] | None = None, path: str = "/v1/orders", **arguments: Any
    ) -> tuple[int, Any, Any]:
        """POST bytes, or a document as JSON; gives status, document or lines, and headers."""
        data = encoded(body) if isinstance(body, dict) else body
        given = (JSON if path == "/v1/orders" else NDJSON) | self.sender() | (headers or {})
        async with self.session.post(
            self.process.url + path, data=data, headers=given, **arguments
        ) as answer:
            content = await answer.read()
            if answer.content_type == "application/x-ndjson":
                return answer.status, [json.loads(line) for line in content.splitlines()], answer.headers
            return answer.status, json.loads(content), answer.headers

    async def raw(self, request: bytes, timeout_s: float = 10.0) -> bytes:
        """Write bytes to a connection and read until the service closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.process.ready["port"])
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), timeout_s)
        finally:
            writer.close()

    async def records(self) -> list[codec.Order]:
        """Everything that the stream holds."""
        kinesis, stream = self.path.kinesis, f"{self.path.namespace}-orders"
        decode = codec.decoder("order", 1)
        found: list[codec.Order] = []
        for shard in await kinesis.list_shards(stream):
            iterator: str | None = await kinesis.shard_iterator(
                stream, shard.shard_id, Position.trim_horizon()
            )
            while iterator is not None:
                fetch = await kinesis.get_records(iterator, shard_id=shard.shard_id)
                found += [decode(record.data) for record in fetch.records]
                if not fetch.records and fetch.millis_behind_latest == 0:
                    break
                iterator = fetch.next_iterator
        return found

    @asynccontextmanager
    async def another(self, **settings: str) -> AsyncIterator[Gate]:
        """A process of its own with other settings, on the same stream."""
        process = await processes.start("order_ingest", self.folder, self.environment | settings)
        try:
            yield Gate(self.path, self.security, self.session, self.environment, self.folder, process)
        finally:
            process.kill9()
            print(process.log_tail())


@pytest.fixture(scope="session")
async def gate(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gate]:
    folder = tmp_path_factory.mktemp("order_ingest")
    security = Security.make(folder)
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        order_path(engines, f"t{uuid.uuid4().hex[:8]}") as path,
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        environment = {
            **local_environment(engines),
            "CADABRA_NAMESPACE": path.namespace,
            "CADABRA_RUN_ID": engines.run_id,
            **security.settings,
        }
        process = await processes.start("order_ingest", folder, environment)
        try:
            yield Gate(path, security, session, environment, folder, process)
        finally:
            process.kill9()
            print(process.log_tail())
