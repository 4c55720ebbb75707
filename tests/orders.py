"""Orders for tests: parts as records, built by the contract's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts import codec
from contracts.order import partition_key, parts
from services.kernel.streams.records import Record

TIME = "2011-11-20T10:00:00.000Z"
INGESTED_AT = "2011-11-20T10:00:01.000Z"


def a_line(line_id: str = "1", **fields: Any) -> codec.OrderLine:
    """One line; fields that are not given are a lantern's."""
    filled = {
        "line_id": line_id,
        "stock_code": "85123A",
        "description": "WHITE METAL LANTERN",
        "quantity": 6,
        "unit_price": "2.55",
        "ordered_at": TIME,
        **fields,
    }
    return codec.OrderLine(**filled)


def an_order(
    order_id: str,
    lines: Sequence[codec.OrderLine] | None = None,
    source: str = "shop",
    ingested_at: str = INGESTED_AT,
    max_bytes: int = 200 * 1024,
    **header: Any,
) -> list[codec.Order]:
    """An order's parts; one unless it is long."""
    filled = {
        "customer_id": "17850",
        "country": "United Kingdom",
        "currency": "GBP",
        "kind": "sale",
        **header,
    }
    return parts(
        order_id=order_id,
        source=source,
        lines=lines or [a_line()],
        ingested_at=ingested_at,
        max_bytes=max_bytes,
        **filled,
    )


def one_part(order_id: str, lines: Sequence[codec.OrderLine] | None = None, **fields: Any) -> codec.Order:
    """An order that is one part."""
    (part,) = an_order(order_id, lines, **fields)
    return part


def a_record(part: codec.Order, sequence_number: int, arrived_at_ms: int = 0) -> Record:
    """A part as the stream gives it."""
    key = partition_key(part.source, part.order_id)
    return Record("shardId-000000000000", sequence_number, key, codec.encode(part), arrived_at_ms)
