"""Landing objects as the lake writer makes them: by its own columns and its own encoder, of rows that a test names."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from contracts import catalog
from deploy.local import retail
from services.lake_writer import columns

PREFIX = "landing/orders/v1/"
_CONTRACT = catalog.contract("order_line", 1)
SCHEMA = columns.schema(_CONTRACT)

Row = dict[str, Any]
"""A row of `order_line/1` as the contract writes it: times and prices as text."""


def row(line_id: str, position: int, **changed: Any) -> Row:
    """A line of an order, with what the test changes.

    Args:
        position: in the stream; the smallest wins.
    """
    whole: Row = {
        "source": "shop",
        "order_id": "536365",
        "line_id": line_id,
        "event_id": _digest(repr(sorted(changed.items()))),
        "kind": "sale",
        "customer_id": "17850",
        "country": "United Kingdom",
        "currency": "GBP",
        "ordered_at": "2010-12-01T08:26:00.000Z",
        "ingested_at": "2026-11-27T05:00:00.000Z",
        "stock_code": "85123A",
        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "quantity": 1,
        "unit_price": "2.55",
        "arrived_at": "2026-11-27T05:00:00.000Z",
        "shard_id": "shardId-000000000000",
        "sequence_number": str(position).zfill(56),
        "sub_sequence": 0,
        "unknown": None,
        **changed,
    }
    return {"order_ordered_at": whole["ordered_at"], **whole}


def encode(rows: Sequence[Row], added: dict[str, Any] | None = None, careless: bool = False) -> bytes:
    """The bytes of an object.

    Args:
        added: columns of a newer writer, by name, with one value for all rows.
        careless: whether every column may be null, which is not so where the lake writer writes it.
    """
    schema = pa.schema([field.with_nullable(True) for field in SCHEMA]) if careless else SCHEMA
    table = pa.table(
        [columns.column(field.type, [row[field.name] for row in rows]) for field in schema], schema=schema
    )
    for name, value in (added or {}).items():
        table = table.append_column(name, pa.array([value] * len(rows)))
    return columns.encode(table)


def key(rows: Sequence[Row]) -> str:
    """The key of an object that holds these rows of one shard and hour, in the stream's order."""
    first, last = rows[0], rows[-1]
    places = "-".join(f"{one['sequence_number']}-{one['sub_sequence']}" for one in (first, last))
    return f"{PREFIX}ingested_hour={first['arrived_at'][:13]}/{first['shard_id']}-{places}.parquet"


def retail_objects(
    invoices: Iterable[retail.Invoice], rows_each: int, shards: int = 16, source: str = "shop"
) -> Iterator[tuple[str, bytes]]:
    """The real orders as objects: a record an invoice, the records spread over shards by the order's number.

    Args:
        rows_each: at least so many rows an object, but for each shard's last one.
    """
    open_rows: dict[int, list[Row]] = {}
    for number, invoice in enumerate(invoices, 1):
        shard = zlib.crc32(invoice.invoice_no.encode()) % shards
        rows = open_rows.setdefault(shard, [])
        rows += _rows(invoice, number, shard, source)
        if len(rows) >= rows_each:
            yield key(rows), encode(open_rows.pop(shard))
    for rows in open_rows.values():
        yield key(rows), encode(rows)


def _rows(invoice: retail.Invoice, number: int, shard: int, source: str) -> Iterator[Row]:
    for line in invoice.lines:
        yield row(
            f"online_retail.csv:{line.row}",
            number,
            source=source,
            order_id=invoice.invoice_no,
            event_id=_digest(invoice.invoice_no),
            kind=invoice.kind,
            customer_id=line.customer_id,
            country=line.country,
            order_ordered_at=invoice.ordered_at,
            ordered_at=line.ordered_at,
            stock_code=line.stock_code,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            shard_id=f"shardId-{shard:012}",
        )


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
