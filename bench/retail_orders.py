"""The shop's real invoices as records of the stream `orders`, for benches that need true sizes."""

from __future__ import annotations

from itertools import islice

from contracts import codec
from contracts.order import parts
from deploy.local import retail

_INGESTED_AT = "2011-12-10T00:00:00.000Z"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def records(count: int | None = None) -> list[codec.Order]:
    """The parts of the first `count` invoices, all by default, as order_ingest would put them."""
    return [part for invoice in islice(retail.invoices(), count) for part in _parts(invoice)]


def _parts(invoice: retail.Invoice) -> list[codec.Order]:
    first = invoice.lines[0]
    lines = [
        codec.OrderLine(
            line_id=str(number),
            stock_code=line.stock_code,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            ordered_at=line.ordered_at,
        )
        for number, line in enumerate(invoice.lines, start=1)
    ]
    return parts(
        order_id=invoice.invoice_no,
        source="shop",
        customer_id=first.customer_id,
        country=first.country,
        currency="GBP",
        kind=invoice.kind,  # type: ignore[arg-type]
        lines=lines,
        ingested_at=_INGESTED_AT,
        trace=_TRACE,
    )
