"""The order store read by a decoder of our own, and judged against the ledger."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.fault.ledger import Ledger
from tests.fault.orders import Content, Identity

_TOLD = 5


@dataclass
class Stored:
    """What the table `order_history` holds.

    Args:
        contents: every content that was found for a line; more than one is a conflict.
        parts: items by (source, order_id).
    """

    contents: dict[Identity, set[Content]] = field(default_factory=dict)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)


async def scan(dynamodb: Any, table: str) -> Stored:
    """Read the whole table."""
    stored = Stored()
    async for item in _items(dynamodb, table):
        part = json.loads(zlib.decompress(item["body"]["B"]))
        assert item["order_id"]["S"] == part["order_id"]
        assert item["part"]["S"].startswith(part["source"] + "#")
        stored.parts[part["source"], part["order_id"]] += 1
        seen_here = set()
        for line in part["lines"]:
            identity = Identity(part["source"], part["order_id"], line["line_id"])
            assert identity not in seen_here, f"{identity} is twice in one part"
            seen_here.add(identity)
            stored.contents.setdefault(identity, set()).add(_content(part, line))
    return stored


async def count(dynamodb: Any, table: str) -> int:
    """How many parts of orders are stored."""
    total = 0
    start: dict[str, Any] = {}
    while True:
        page = await dynamodb.scan(TableName=table, Select="COUNT", ConsistentRead=True, **start)
        total += page["Count"]
        if "LastEvaluatedKey" not in page:
            return int(total)
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def differences(stored: Stored, ledger: Ledger) -> list[str]:
    """Say how the store contradicts the ledger: lost, altered, doubled with other content, or from nowhere."""
    found = _differ("lost", ledger.certain, lambda identity, _: identity not in stored.contents)
    found += _differ("two contents", stored.contents, lambda _, contents: len(contents) > 1)
    found += _differ("from nowhere", stored.contents, lambda identity, _: identity not in ledger.possible)
    found += _differ(
        "altered",
        ledger.possible,
        lambda identity, content: content not in stored.contents.get(identity, {content}),
    )
    return found


def _differ(what: str, lines: Mapping[Identity, Any], wrong: Any) -> list[str]:
    found = [(identity, told) for identity, told in lines.items() if wrong(identity, told)]
    return [f"{what}: {len(found)}, such as {found[:_TOLD]}"] if found else []


async def _items(dynamodb: Any, table: str) -> AsyncIterator[Any]:
    start: dict[str, Any] = {}
    while True:
        page = await dynamodb.scan(TableName=table, ConsistentRead=True, **start)
        for item in page["Items"]:
            yield item
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _content(part: dict[str, Any], line: dict[str, Any]) -> Content:
    return Content(
        part["customer_id"],
        part["country"],
        part["currency"],
        part["kind"],
        line["stock_code"],
        line["description"],
        line["quantity"],
        Decimal(line["unit_price"]),
        line["ordered_at"],
    )
