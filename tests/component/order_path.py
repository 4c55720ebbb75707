"""The order path's ends for component tests: put into the stream, read by HTTP, look at dead letters."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from contracts import catalog, codec
from contracts.order import partition_key
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.tokens import Keys, jwks, sign
from services.kernel.provision import provision
from services.kernel.streams.records import Stored
from services.kernel.streams.rejected_reader import read_all
from tests.engines import Engines

SHARDS = 2


async def until(condition: Callable[[], Awaitable[Any]], what: str, timeout_s: float = 20.0) -> Any:
    """Wait until a condition gives something true, and return it.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = await condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Security:
    """Keys and secrets that the storefront trusts, as files."""

    keys: Keys
    settings: dict[str, str]

    @classmethod
    def make(cls, folder: Path) -> Security:
        """Make a signing key and a cursor secret under `folder`."""
        keys = Keys.generate("test")
        (folder / "jwks.json").write_text(json.dumps(jwks([keys.public_jwk])))
        (folder / "cursor-secret").write_text(secrets.token_hex(32) + "\n")
        return cls(
            keys,
            {
                "CADABRA_JWKS_FILE": str(folder / "jwks.json"),
                "CADABRA_CURSOR_SECRET_FILE": str(folder / "cursor-secret"),
            },
        )

    def token(self, role: str, subject: str, **claims: Any) -> dict[str, str]:
        """The header of a caller."""
        return {"Authorization": f"Bearer {sign(self.keys.private_jwk, subject, role, **claims)}"}


@dataclass
class OrderPath:
    """One namespace with its streams and tables."""

    kinesis: Kinesis
    dynamodb: DynamoDB
    namespace: str

    async def put(self, data: bytes, key: str) -> Stored:
        """Put bytes into the stream of orders."""
        (put,) = await self.kinesis.put_records(f"{self.namespace}-orders", [(data, key)])
        assert isinstance(put, Stored)
        return put

    async def send(self, parts: Sequence[codec.Order]) -> list[Stored]:
        """Put parts of orders, one after another."""
        return [
            await self.put(codec.encode(part), partition_key(part.source, part.order_id)) for part in parts
        ]

    async def stored(self, order_id: str) -> list[dict[str, Any]]:
        """The items of an order."""
        page = await self.dynamodb.query(
            f"{self.namespace}-order_history",
            "order_id = :order_id",
            {":order_id": {"S": order_id}},
            consistent=True,
        )
        return list(page.items)

    async def rejected(self) -> list[dict[str, Any]]:
        """Every dead letter so far."""
        return await read_all(self.kinesis, f"{self.namespace}-rejected")


@asynccontextmanager
async def order_path(engines: Engines, namespace: str) -> AsyncIterator[OrderPath]:
    """Provision a namespace on the real engines."""
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
    ):
        await provision(kinesis, dynamodb, namespace, catalog.load(), shards=SHARDS)
        yield OrderPath(kinesis, dynamodb, namespace)


@dataclass
class Client:
    """A caller of one service's API."""

    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON document of a GET."""
        async with self.session.get(self.url + path, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())
