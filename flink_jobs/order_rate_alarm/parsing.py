"""From a record's bytes to what the detector counts, or to dead letters. Pure: needs no Flink."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from contracts import catalog, dead_letter, quick
from contracts.dead_letter import Place
from contracts.scalars import timestamp
from contracts.validate import ContractViolation
from flink_jobs.order_rate_alarm.detector import OrderSeen

JOB = "order_rate_alarm"
_BETWEEN = "\x1f"
"""No text of an order that is counted holds a control character, by its contract."""
_read = quick.reader(catalog.contract("order", 1))


def order_seen(data: bytes) -> OrderSeen:
    """Decode one record of the stream of orders.

    Raises:
        ContractViolation: it is no JSON, or breaks the contract `order/1`.
    """
    order = _read(data)
    return OrderSeen(
        source=order["source"],
        order_id=order["order_id"],
        ordered_at_ms=_milliseconds(order["ordered_at"]),
        ingested_at_ms=_milliseconds(order["ingested_at"]),
        country=order["country"],
        value=sum([line["quantity"] * float(line["unit_price"]) for line in order["lines"]]),
        currency=order["currency"],
        kind=order["kind"],
    )


def to_text(order: OrderSeen) -> str:
    """An order as one text: between Python and the JVM each field of a row costs as much as a text of this length."""
    return _BETWEEN.join(
        (
            order.source,
            order.order_id,
            str(order.ordered_at_ms),
            str(order.ingested_at_ms),
            order.country,
            repr(order.value),
            order.currency,
            order.kind,
        )
    )


def from_text(text: str) -> OrderSeen:
    """What `to_text` wrote."""
    source, order_id, ordered_at, ingested_at, country, value, currency, kind = text.split(_BETWEEN)
    return OrderSeen(
        source, order_id, int(ordered_at), int(ingested_at), country, float(value), currency, kind
    )


def rejected(violation: ContractViolation, data: bytes, stream: str) -> Iterator[dict[str, Any]]:
    """The dead letters of a record; its shard and sequence number are null, for the source does not tell them.

    Args:
        stream: the physical name of the stream that it was read from.
    """
    return dead_letter.letters(
        service=JOB,
        place=Place(stream=stream),
        reason=violation.reason,
        message=violation.message,
        data=data,
        details=[(fault.pointer, fault.reason) for fault in violation.details],
        rejected_at=timestamp(datetime.fromtimestamp(time.time(), UTC)),
    )


@lru_cache(maxsize=65_536)
def _milliseconds(moment: str) -> int:
    """Milliseconds since 1970 of a time as contracts write it."""
    whole = datetime.fromisoformat(moment[:-5] + "+00:00")
    return int(whole.timestamp()) * 1000 + int(moment[-4:-1])
