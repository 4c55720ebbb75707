"""A landing over memory, deliveries that remember what became of them, and what the objects hold."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from contracts.codec import Order
from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Record
from services.lake_writer import order_lines
from services.lake_writer.batching import Bounds
from services.lake_writer.landing import Landing, Place
from services.lake_writer.metrics import OrdersMetrics
from services.lake_writer.rows import Format
from tests.memory.s3 import MemoryS3
from tests.orders import a_line, a_record, one_part

MIB = 1024 * 1024
BUCKET, PREFIX = "n-lake", "landing/orders/v1/"
HOUR_MS = 3_600_000
NEVER_S = 600.0


@dataclass(eq=False)
class Taken:
    """A delivery, and what was said of it."""

    record: Record
    alone: bool = False
    acknowledged: bool = False
    rejected: InvalidRecord | None = None
    failed: BaseException | None = None
    waits: list[Retryable] = field(default_factory=list)

    def survived(self) -> None:
        self.alone = False

    def acknowledge(self) -> None:
        assert not self.acknowledged, "acknowledged twice"
        self.acknowledged = True

    async def reject(self, error: InvalidRecord) -> None:
        self.rejected = error

    def waiting(self, error: Retryable) -> None:
        self.waits.append(error)

    def fail(self, error: BaseException) -> None:
        self.failed = error


@dataclass
class Stage:
    """A landing and the S3 below it."""

    s3: MemoryS3
    landing: Landing[Any]
    metrics: OrdersMetrics
    _read: dict[bytes, list[dict[str, Any]]] = field(default_factory=dict)

    async def keys(self) -> list[str]:
        return [one.key async for one in self.s3.list(BUCKET, "")]

    async def body(self, key: str) -> bytes:
        found = await self.s3.get(BUCKET, key, max_bytes=64 * MIB)
        assert found is not None
        return found

    async def tables(self) -> dict[str, pa.Table]:
        return {key: read(await self.body(key)) for key in await self.keys()}

    async def rows(self) -> list[dict[str, Any]]:
        found = []
        for key in await self.keys():
            body = await self.body(key)
            if body not in self._read:
                self._read[body] = read(body).to_pylist()
            found += self._read[body]
        return found

    def number(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"cadabra_lake_writer_{name}", labels) or 0.0


async def a_stage(
    bounds: Bounds | None = None,
    max_open_bytes: int = 128 * MIB,
    writes_at_once: int = 4,
    form: Format[Any] = order_lines.FORMAT,
) -> Stage:
    """A landing that closes nothing by itself unless told to."""
    s3, metrics = MemoryS3(), OrdersMetrics()
    await s3.create_bucket(BUCKET)
    landing = Landing(
        s3,
        Place(BUCKET, PREFIX),
        form,
        bounds or Bounds(64 * MIB, 500_000, NEVER_S),
        max_open_bytes,
        writes_at_once,
        metrics,
        Retry(base_s=0.0005, cap_s=0.001),
    )
    return Stage(s3, landing, metrics)


def orders(count: int, first: int = 1, lines: int = 1, arrived_at_ms: int = 5 * HOUR_MS) -> list[Taken]:
    """Deliveries of small orders, numbered on."""
    return [
        Taken(a_record(an_order(number, lines), number, arrived_at_ms + number))
        for number in range(first, first + count)
    ]


def an_order(number: int, lines: int = 1) -> Order:
    return one_part(f"o{number}", [a_line(str(at), quantity=at) for at in range(1, lines + 1)], max_bytes=MIB)


def read(body: bytes) -> pa.Table:
    """A Parquet file's rows."""
    return parquet.ParquetFile(io.BytesIO(body)).read()


def numbers(rows: Iterable[dict[str, Any]]) -> list[int]:
    """The sequence numbers of rows."""
    return [int(row["sequence_number"]) for row in rows]
