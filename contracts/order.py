"""The rules of the `order` record: its identity, its partition, its kind, and how it is cut into parts.

All but `parts` needs the standard library alone, so that a job can carry it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from contracts.codec import Kind, Order, OrderContent, OrderLine

MAX_PART_BYTES = 200 * 1024
MAX_LINES = 20_000
NOT_CONTENT = ("event_id", "ingested_at", "trace")
"""Fields that say how a part came, not what it is: a retry may differ in them and is still the same event."""
_CONTENT = ("country", "currency", "customer_id", "kind", "lines", "order_id", "ordered_at", "source")
_LINE = ("description", "line_id", "ordered_at", "quantity", "stock_code", "unit_price")
# What the three fields add to a part's canonical JSON at most: a part's size must not hang on how it came.
_NOT_CONTENT_BYTES = len(
    f',"event_id":"{"0" * 32}","ingested_at":"0000-00-00T00:00:00.000Z","trace":"{"0" * 55}"'
)


def partition_key(source: str, order_id: str) -> str:
    """Give the key that keeps one sender's order in one shard, so that its records stay in sequence."""
    return f"{source}/{order_id}"


def kind_of_invoice(invoice_no: str, quantity: int) -> Literal["sale", "cancellation", "adjustment"]:  # noqa: ARG001
    """Tell an invoice's kind from its number, as the shop's files have it.

    Args:
        invoice_no: `C...` cancels, `A...` adjusts the books, every other number sells.
        quantity: has no say: 1,336 lines of the shop's sales are below zero, and stay in their invoice.
    """
    if invoice_no.startswith("C"):
        return "cancellation"
    return "adjustment" if invoice_no.startswith("A") else "sale"


def event_id(part: Mapping[str, Any]) -> str:
    """Name a part by its content.

    Args:
        part: the fields of an `order/1` record; event_id, ingested_at, trace and fields that the contract
            does not name may be there and do not count.

    Returns:
        the first 16 bytes, in hex, of the SHA-256 of the part's canonical JSON: keys sorted, no blanks, UTF-8
        without escapes that JSON does not demand.
    """
    content = {name: part[name] for name in _CONTENT}
    content["lines"] = [{name: line[name] for name in _LINE} for line in part["lines"]]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return _hash(text.encode())


def _hash(canonical: bytes) -> str:
    return hashlib.sha256(canonical).hexdigest()[:32]


def parts(
    *,
    order_id: str,
    source: str,
    customer_id: str | None,
    country: str,
    currency: str,
    kind: Kind,
    lines: Sequence[OrderLine],
    ingested_at: str,
    trace: str | None = None,
    max_bytes: int = MAX_PART_BYTES,
) -> list[Order]:
    """Cut an order into records, each as full as it may be, lines in the order they were given.

    The same order and `max_bytes` give the same parts with the same event_ids, whatever `ingested_at` and
    `trace` are. Nothing is checked against the contract but the sizes.

    Args:
        lines: at least one; their line_ids differ.
        ingested_at: when the platform took it, as contracts write it.
        max_bytes: the most that one encoded part may have.

    Raises:
        ValueError: there is no line, or one line alone does not fit into `max_bytes`.
    """
    if not lines:
        raise ValueError("an order without a line is none")
    # The one need for the compiled codec: sizes are those of the bytes that will be written.
    from contracts import codec

    def content(chosen: Sequence[OrderLine]) -> OrderContent:
        ordered_at = min([line.ordered_at for line in chosen])
        return codec.OrderContent(
            country, currency, customer_id, kind, list(chosen), order_id, ordered_at, source
        )

    def record(part: OrderContent, canonical: bytes) -> Order:
        return codec.Order(
            order_id=order_id,
            source=source,
            event_id=_hash(canonical),
            ordered_at=part.ordered_at,
            ingested_at=ingested_at,
            customer_id=customer_id,
            country=country,
            currency=currency,
            kind=kind,
            lines=part.lines,
            trace=trace,
        )

    whole = content(lines)
    canonical = codec.encode(whole)
    if len(canonical) + _NOT_CONTENT_BYTES <= max_bytes and len(lines) <= MAX_LINES:
        return [record(whole, canonical)]
    sizes_bytes = [len(codec.encode(line)) + len(",") for line in lines]
    header_bytes = len(canonical) - sum(sizes_bytes) + len(",")
    cut = _cut(sizes_bytes, max_bytes - header_bytes - _NOT_CONTENT_BYTES + len(","))
    chosen = [content(lines[start:end]) for start, end in cut]
    return [record(part, codec.encode(part)) for part in chosen]


def _cut(sizes_bytes: Sequence[int], budget_bytes: int) -> Iterator[tuple[int, int]]:
    """Give the ranges of lines that fill one part after the other."""
    start, used = 0, 0
    for index, size_bytes in enumerate(sizes_bytes):
        if size_bytes > budget_bytes:
            raise ValueError(f"line {index} does not fit into a part of its own")
        if used + size_bytes > budget_bytes or index - start == MAX_LINES:
            yield start, index
            start, used = index, 0
        used += size_bytes
    yield start, len(sizes_bytes)
