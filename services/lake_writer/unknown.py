"""What a newer writer sent and `order/1` does not name, kept as it was written."""

from __future__ import annotations

import msgspec

from contracts.codec import Order, OrderLine

Fields = dict[str, msgspec.Raw]

_order = msgspec.json.Decoder(Fields)
_lines = msgspec.json.Decoder(list[Fields])
_encoder = msgspec.json.Encoder()
MOST_REPEATED = 4
"""An order's own unknown fields stand on every line while that takes at most so many times the record's bytes."""
_ORDER_NAMES = frozenset(Order.__struct_fields__)
_LINE_NAMES = frozenset(OrderLine.__struct_fields__)


def of_lines(data: bytes) -> list[str | None] | None:
    """Find the fields of an order's bytes, and of its lines, that the contract does not name.

    Args:
        data: a record that holds `order/1`.

    Returns:
        for each line JSON text: `{"order": {...}, "line": {...}}`, values in the digits and escapes they came in,
        either part only where there is something; None for a line without, and None alone where no line has any. What
        the order has is on every line, unless that would be more than MOST_REPEATED times the record: then on the
        first alone.
    """
    fields = _order.decode(data)
    lines = _lines.decode(fields["lines"])
    order = _beyond(fields, _ORDER_NAMES)
    alone = _text(order, {})
    repeated = alone is not None and len(alone) * len(lines) <= MOST_REPEATED * len(data)
    found: list[str | None] = []
    for line in lines:
        own = _beyond(line, _LINE_NAMES)
        if found and not repeated:
            order, alone = {}, None
        found.append(_text(order, own) if own else alone)
    return found if any(found) else None


def _beyond(fields: Fields, names: frozenset[str]) -> Fields:
    if fields.keys() <= names:
        return {}
    return {name: raw for name, raw in fields.items() if name not in names}


def _text(order: Fields, line: Fields) -> str | None:
    parts = {name: found for name, found in (("order", order), ("line", line)) if found}
    return _encoder.encode(parts).decode() if parts else None
