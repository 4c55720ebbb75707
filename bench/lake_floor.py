"""lake_writer's floor: GetRecords, decode, Parquet, PutObject by bare aiobotocore, or GetRecords by our own way.

No leases, no checkpoints, no rejects, no metrics, nothing kept of a newer writer: it loses and repeats whatever a
crash makes it. `python -m bench.lake_floor ENDPOINT [plain | raw]` runs until it is killed. It makes columns as
lake_writer does; `plain` makes a dictionary a row, as one would at first; `raw` reads as lake_writer reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from aiobotocore.session import get_session

from bench.lake_stub import BUCKET
from bench.writer_stub import SHARDS, STREAM
from contracts import catalog
from contracts.codec import Order, decoder
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.records import Position, Record
from services.lake_writer import columns, order_lines
from services.lake_writer.object_key import padded
from services.lake_writer.rows import Decoded

_IDLE_S = 0.05
_ROWS_PER_OBJECT = 20_000
_PLAIN = columns.schema(catalog.contract("order_line", 1))
REGION = "us-east-1"
Some = Sequence[Decoded[Order]]
Pages = AsyncIterator[list[Record]]


def quick(decoded: Some) -> pa.Table:
    """The table by lake_writer's own columns."""
    return pa.Table.from_batches([order_lines.batch(decoded)])


def plain(decoded: Some) -> pa.Table:
    """The table by a dictionary a row."""
    return pa.Table.from_pylist([row for one in decoded for row in _rows(one)], _PLAIN)


def _rows(one: Decoded[Order]) -> list[dict[str, Any]]:
    order, record = one.value, one.record
    common = {
        "source": order.source,
        "order_id": order.order_id,
        "event_id": order.event_id,
        "kind": order.kind,
        "customer_id": order.customer_id,
        "country": order.country,
        "currency": order.currency,
        "order_ordered_at": datetime.fromisoformat(order.ordered_at),
        "ingested_at": datetime.fromisoformat(order.ingested_at),
        "arrived_at": record.arrived_at_ms,
        "shard_id": record.shard_id,
        "sequence_number": padded(record.sequence_number),
        "sub_sequence": record.sub_sequence,
        "unknown": None,
    }
    return [
        {
            **common,
            "line_id": line.line_id,
            "ordered_at": datetime.fromisoformat(line.ordered_at),
            "stock_code": line.stock_code,
            "description": line.description,
            "quantity": line.quantity,
            "unit_price": Decimal(line.unit_price),
        }
        for line in order.lines
    ]


async def by_sdk(endpoint: str, shard_id: str) -> Pages:
    """A shard's records, a call at a time, by bare aiobotocore; an empty list where nothing is new."""
    async with get_session().create_client("kinesis", endpoint_url=endpoint, region_name=REGION) as kinesis:
        first = await kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )
        iterator = first["ShardIterator"]
        while True:
            answer = await kinesis.get_records(ShardIterator=iterator, Limit=1000)
            iterator = answer["NextShardIterator"]
            yield [
                Record(shard_id, int(got["SequenceNumber"]), got["PartitionKey"], got["Data"], 0)
                for got in answer["Records"]
            ]


async def by_our_way(endpoint: str, shard_id: str) -> Pages:
    """The same by the kernel's adapter."""
    async with Kinesis.open(endpoint, REGION) as kinesis:
        iterator: str | None = await kinesis.shard_iterator(STREAM, shard_id, Position.trim_horizon())
        while iterator is not None:
            fetch = await kinesis.get_records(iterator, stream=STREAM, shard_id=shard_id)
            iterator = fetch.next_iterator
            yield fetch.records


async def main(endpoint: str, table: Callable[[Some], pa.Table], pages: Callable[[str, str], Pages]) -> None:
    """Copy the stream into objects, for ever."""
    decode = decoder("order", 1)
    async with get_session().create_client("s3", endpoint_url=endpoint, region_name=REGION) as s3:

        async def write(shard_id: str, number: int, decoded: list[Decoded[Order]]) -> None:
            body = await asyncio.to_thread(lambda: columns.encode(table(decoded)))
            await s3.put_object(Bucket=BUCKET, Key=f"{shard_id}-{number}.parquet", Body=body)

        async def read(shard_id: str) -> None:
            number, decoded = 0, list[Decoded[Order]]()
            async for records in pages(endpoint, shard_id):
                for record in records:
                    order = decode(record.data)
                    decoded.append(Decoded(record, order, len(order.lines)))
                full = sum(one.rows for one in decoded) >= _ROWS_PER_OBJECT
                if decoded and (full or not records):
                    await write(shard_id, number, decoded)
                    number, decoded = number + 1, []
                if not records:
                    await asyncio.sleep(_IDLE_S)

        await asyncio.gather(*(read(f"shardId-{at:012}") for at in range(SHARDS)))


if __name__ == "__main__":
    how = sys.argv[2:]
    asyncio.run(
        main(sys.argv[1], plain if how == ["plain"] else quick, by_our_way if how == ["raw"] else by_sdk)
    )
