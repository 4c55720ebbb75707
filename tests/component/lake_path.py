"""The way into the lake for tests: put into the streams, read the landing back."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from contracts import catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.s3 import S3
from services.kernel.core.names import bucket_name
from services.kernel.provision import provision
from tests.component.order_path import SHARDS, OrderPath
from tests.engines import Engines

MIB = 1024 * 1024
ORDERS, REJECTED = "landing/orders/v1/", "landing/rejected/v1/"
Line = tuple[str, str, str]  # source, order_id, line_id


@dataclass
class LakePath(OrderPath):
    """One namespace with its streams, tables and bucket."""

    s3: S3
    s3_url: str
    _read: dict[str, pa.Table] = field(default_factory=dict)

    async def keys(self, prefix: str = ORDERS) -> list[str]:
        """The keys of a landing's objects."""
        return [one.key async for one in self.s3.list(bucket_name(self.namespace), prefix)]

    async def body(self, key: str) -> bytes:
        """An object's bytes."""
        found = await self.s3.get(bucket_name(self.namespace), key, max_bytes=64 * MIB)
        assert found is not None
        return found

    async def tables(self, prefix: str = ORDERS) -> dict[str, pa.Table]:
        """Every object's rows, by key."""
        for key in await self.keys(prefix):
            if key not in self._read:
                self._read[key] = parquet.ParquetFile(io.BytesIO(await self.body(key))).read()
        return {key: table for key, table in self._read.items() if key.startswith(prefix)}

    async def rows(self, prefix: str = ORDERS) -> list[dict[str, Any]]:
        """The rows of all objects of a landing."""
        return [row for table in (await self.tables(prefix)).values() for row in table.to_pylist()]

    async def lines(self) -> Counter[Line]:
        """How often each line is in the landing of orders."""
        found: Counter[Line] = Counter()
        for table in (await self.tables()).values():
            names = ("source", "order_id", "line_id")
            found.update(zip(*(table.column(name).to_pylist() for name in names), strict=True))
        return found

    async def archived(self) -> dict[str, bytes]:
        """The bytes of every dead letter in the archive that is there whole, by id."""
        chunks: dict[str, dict[int, bytes]] = {}
        of: dict[str, int] = {}
        for row in await self.rows(REJECTED):
            chunks.setdefault(row["rejected_id"], {})[row["chunk"]] = base64.b64decode(row["data"])
            of[row["rejected_id"]] = row["chunks"]
        return {
            letter: b"".join(parts[at] for at in sorted(parts))
            for letter, parts in chunks.items()
            if len(parts) == of[letter]
        }


@asynccontextmanager
async def lake_path(engines: Engines, s3_url: str, namespace: str) -> AsyncIterator[LakePath]:
    """Provision a namespace on the real engines, its bucket included."""
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
        S3.open(s3_url, "us-east-1") as s3,
    ):
        await provision(kinesis, dynamodb, namespace, catalog.load(), shards=SHARDS, s3=s3)
        yield LakePath(kinesis, dynamodb, namespace, s3, s3_url)
