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
try:
    # Apache Beam, which PyFlink requires, brings it.
    from orjson import loads as _strict
except ImportError:
    _strict = None

_read = quick.reader(catalog.contract("order", 1), _strict)


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
        kind=order["kind"],
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
