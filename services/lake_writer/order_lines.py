"""The stream `orders` as rows of `order_line/1`: one for each line, with its order's fields and its place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain

import pyarrow as pa
import pyarrow.compute as pc

from contracts import catalog, codec
from contracts.codec import ContractViolation, Order
from services.kernel.core.errors import Detail, InvalidRecord
from services.kernel.streams.records import Record
from services.lake_writer import columns, unknown
from services.lake_writer.object_key import padded
from services.lake_writer.rows import Decoded, Format

_REPEATING = (
    "source",
    "order_id",
    "event_id",
    "kind",
    "customer_id",
    "country",
    "currency",
    "stock_code",
    "description",
    "shard_id",
    "sequence_number",
)
_SCHEMA = columns.schema(catalog.contract("order_line", 1), _REPEATING)
_LINE_FIELDS = ("line_id", "ordered_at", "stock_code", "description", "quantity", "unit_price")
_decode = codec.decoder("order", 1)


def decode(record: Record) -> Decoded[Order]:
    """Read a record by the contract `order/1`, keeping what a newer writer added.

    Raises:
        InvalidRecord: it breaks the contract; reason, message and every fault are the contract's own.
    """
    try:
        order = _decode(record.data)
    except ContractViolation as violation:
        details = [Detail(fault.pointer, fault.reason) for fault in violation.details]
        raise InvalidRecord(violation.reason, violation.message, details) from violation
    # Bytes that our own encoder would write hold nothing else; for a twentieth of the decoder's cost.
    extra = None if codec.encode(order) == record.data else unknown.of_lines(record.data)
    return Decoded(record, order, len(order.lines), extra)


def batch(decoded: Sequence[Decoded[Order]]) -> pa.RecordBatch:
    """Make the rows of orders: line by line from the lines, the rest once an order and then spread over its lines."""
    lines = [line for one in decoded for line in one.value.lines]
    found = {
        name: columns.column(_SCHEMA.field(name).type, [getattr(line, name) for line in lines])
        for name in _LINE_FIELDS
    }
    ends = pa.array(accumulate((one.rows for one in decoded), initial=0), pa.int32())
    order_of_line = pc.list_parent_indices(pa.ListArray.from_arrays(ends, found["quantity"]))
    found |= {name: values.take(order_of_line) for name, values in _by_order(decoded).items()}
    found["unknown"] = pa.array(
        list(chain.from_iterable(one.unknown or [None] * one.rows for one in decoded)), pa.string()
    )
    return pa.record_batch([found[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _by_order(decoded: Sequence[Decoded[Order]]) -> dict[str, pa.Array]:
    orders = [one.value for one in decoded]
    records = [one.record for one in decoded]
    values: dict[str, Sequence[object]] = {
        "source": [order.source for order in orders],
        "order_id": [order.order_id for order in orders],
        "event_id": [order.event_id for order in orders],
        "kind": [order.kind for order in orders],
        "customer_id": [order.customer_id for order in orders],
        "country": [order.country for order in orders],
        "currency": [order.currency for order in orders],
        "order_ordered_at": [order.ordered_at for order in orders],
        "ingested_at": [order.ingested_at for order in orders],
        "shard_id": [record.shard_id for record in records],
        "sequence_number": [padded(record.sequence_number) for record in records],
        "sub_sequence": [record.sub_sequence for record in records],
    }
    found = {name: columns.column(_SCHEMA.field(name).type, column) for name, column in values.items()}
    arrived = pa.array([record.arrived_at_ms for record in records], pa.int64())
    return found | {"arrived_at": arrived.cast(_SCHEMA.field("arrived_at").type)}


FORMAT = Format(_SCHEMA, decode, batch)
