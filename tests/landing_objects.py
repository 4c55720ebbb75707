"""Landing objects as the lake writer makes them: by its own columns and its own encoder, of rows that a test names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from contracts import catalog
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


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
