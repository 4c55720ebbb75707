"""The way of one order from its bytes into the stream, the same for a request and for a line of a batch."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from msgspec import Struct

from contracts import codec, order
from contracts.scalars import timestamp
from services.kernel.core.errors import CadabraError
from services.kernel.streams.producer import Producer
from services.order_ingest import request
from services.order_ingest.metrics import IngestMetrics
from services.order_ingest.refusal import not_stored


class Records(Struct, frozen=True):
    """An order as the records that the stream will hold.

    Args:
        lines: how many the order has.
        key: partition key of every record.
        data: the records, in the order of their lines.
    """

    order_id: str
    lines: int
    key: str
    data: list[bytes]

    @property
    def size_bytes(self) -> int:
        """All records together."""
        return sum(map(len, self.data))


def records_of(body: bytes, source: str, trace: str) -> Records:
    """Decode, normalise, cut and encode one order.

    Raises:
        Refusal: it is no order.
    """
    new = request.decode(body)
    parts = order.parts(
        order_id=new.order_id,
        source=source,
        customer_id=new.customer_id,
        country=new.country,
        currency=new.currency,
        kind=new.kind,
        lines=new.lines,
        ingested_at=timestamp(datetime.now(UTC)),
        trace=trace,
    )
    key = order.partition_key(source, new.order_id)
    return Records(new.order_id, len(new.lines), key, [codec.encode(part) for part in parts])


class Intake:
    """Stores orders and counts what it stored."""

    def __init__(self, producer: Producer, metrics: IngestMetrics) -> None:
        self._producer = producer
        self._lines = metrics.lines
        self._parts = metrics.parts
        self._bytes = metrics.record_bytes

    async def store(self, records: Records, wait: bool = False) -> None:
        """Return once the stream has every record of an order.

        Args:
            wait: wait for room instead of a refusal; an order of several parts always waits, for a refusal
                half way would have taken the first half.

        Raises:
            Refusal: 503; some of the records may be in the stream, and sending the order again is harmless.
        """
        put = self._producer.put
        try:
            if len(records.data) == 1:
                await put(records.key, records.data[0], wait=wait)
            else:
                puts = [put(records.key, data, wait=True) for data in records.data]
                outcomes = await asyncio.gather(*puts, return_exceptions=True)
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
        except CadabraError as error:
            raise not_stored(error, records.order_id) from error
        self._lines.inc(records.lines)
        self._parts.inc(len(records.data))
        self._bytes.inc(records.size_bytes)
