"""Reads the order store as it lies in the table, with a decoder of its own.

Shares nothing with the writer and the storefront: items are unpacked with zlib and json, and the parts of an
order are united here once more, so that a mistake of theirs cannot hide itself.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from deploy.local.figures import LineFacts, decimal

SEGMENTS = 4


class Scannable(Protocol):
    """What the reader needs of a table: the kernel's DynamoDB adapter has it."""

    def scan(
        self, table: str, segment: int | None = None, total: int | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Every item of one segment, strongly consistent."""
        ...


class Part(NamedTuple):
    """One item of the table, its body still packed."""

    sequence_number: int
    body: bytes
    item: Mapping[str, Any]


@dataclass(slots=True)
class StoredOrder:
    """One order of the store, its parts united by line identity.

    Args:
        lines: by line id, the content with the smallest sequence number.
        ordered_at: the earliest time that a part names, "" without parts.
        conflicts: ids of lines that two parts hold with different contents.
        faults: what is wrong with the items themselves, as sentences.
    """

    lines: dict[str, LineFacts] = field(default_factory=dict)
    ordered_at: str = ""
    conflicts: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


Parts = dict[tuple[str, str], list[Part]]


async def read(table: Scannable, name: str, segments: int = SEGMENTS) -> Parts:
    """All parts in the table by (source, order id), bodies packed; one scan per segment, side by side.

    Args:
        name: the physical name of the table.
        segments: how many scans run at a time, 1 or more.
    """
    found: Parts = {}

    async def one(segment: int) -> None:
        async for item in table.scan(name, segment=segment, total=segments):
            key = (item["source"]["S"], item["order_id"]["S"])
            part = Part(int(item["sequence_number"]["S"]), bytes(item["body"]["B"]), _without_body(item))
            found.setdefault(key, []).append(part)

    await asyncio.gather(*(one(segment) for segment in range(segments)))
    return found


def _without_body(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "body"}


def unite(source: str, order_id: str, parts: Sequence[Part]) -> StoredOrder:
    """Unpacks the parts of one order and unites them; the smallest sequence number wins each line."""
    order = StoredOrder()
    for part in sorted(parts, key=lambda part: part.sequence_number):
        try:
            record = json.loads(zlib.decompress(part.body))
            contents = _contents(record)
        except (zlib.error, ValueError, KeyError, TypeError, ArithmeticError) as error:
            order.faults.append(f"{source}/{order_id}: an item cannot be read: {error!r}")
            continue
        order.faults += _header_faults(source, order_id, part.item, record)
        order.ordered_at = min(order.ordered_at or record["ordered_at"], record["ordered_at"])
        for line_id, content in contents:
            known = order.lines.setdefault(line_id, content)
            if known != content:
                order.conflicts.add(line_id)
    return order


def _contents(record: Mapping[str, Any]) -> list[tuple[str, LineFacts]]:
    header = (record["customer_id"], record["country"], record["currency"], record["kind"])
    return [
        (
            line["line_id"],
            LineFacts(
                line["stock_code"],
                line["description"],
                line["quantity"],
                decimal(line["unit_price"]),
                line["ordered_at"],
                *header,
            ),
        )
        for line in record["lines"]
    ]


def _header_faults(
    source: str, order_id: str, item: Mapping[str, Any], record: Mapping[str, Any]
) -> list[str]:
    """Where the attributes of an item, which keys and indexes use, disagree with its body."""
    times = [line["ordered_at"] for line in record["lines"]]
    expected = {
        "order_id": {"S": record["order_id"]},
        "source": {"S": record["source"]},
        "event_id": {"S": record["event_id"]},
        "ordered_at": {"S": record["ordered_at"]},
        "lines": {"N": str(len(times))},
        "customer_id": {"S": record["customer_id"]} if record["customer_id"] is not None else None,
    }
    faults = [
        f"{source}/{order_id}: attribute {name} is {item.get(name)}, its body says {value}"
        for name, value in expected.items()
        if item.get(name) != value
    ]
    if record["ordered_at"] > min(times):
        faults.append(f"{source}/{order_id}: ordered_at is {record['ordered_at']}, after its earliest line")
    return faults
