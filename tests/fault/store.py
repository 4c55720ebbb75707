"""The order store read by a decoder of our own, and judged against the ledger."""

from __future__ import annotations

import asyncio
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
        events: (source, order_id, event_id) of every part.
    """

    contents: dict[Identity, set[Content]] = field(default_factory=dict)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: set[tuple[str, str, str]] = field(default_factory=set)


async def scan(dynamodb: Any, table: str) -> Stored:
    """Read the whole table; decoding is done in a thread, so that proxies in this loop go on meanwhile."""
    stored = Stored()
    async for page in _pages(dynamodb, table):
        await asyncio.to_thread(_decode, page, stored)
    return stored


def _decode(page: list[Any], stored: Stored) -> None:
    for item in page:
        part = json.loads(zlib.decompress(item["body"]["B"]))
        assert item["order_id"]["S"] == part["order_id"]
        assert item["part"]["S"].startswith(part["source"] + "#")
        stored.parts[part["source"], part["order_id"]] += 1
        stored.events.add((part["source"], part["order_id"], part["event_id"]))
        seen_here = set()
        for line in part["lines"]:
            identity = Identity(part["source"], part["order_id"], line["line_id"])
            assert identity not in seen_here, f"{identity} is twice in one part"
            seen_here.add(identity)
            stored.contents.setdefault(identity, set()).add(_content(part, line))


async def order_ids(dynamodb: Any, table: str) -> set[str]:
    """The ids of the orders of which something is stored."""
    only = {"ProjectionExpression": "order_id"}
    return {item["order_id"]["S"] async for page in _pages(dynamodb, table, **only) for item in page}


async def items(dynamodb: Any, table: str) -> dict[tuple[str, str], Any]:
    """Every item whole, by its key."""
    return {
        (item["order_id"]["S"], item["part"]["S"]): item
        async for page in _pages(dynamodb, table)
        for item in page
    }


async def count(dynamodb: Any, table: str) -> int:
    """How many parts of orders are stored."""
    asked = {"TableName": table, "Select": "COUNT", "ConsistentRead": True}
    page = await dynamodb.scan(**asked)
    total = page["Count"]
    while "LastEvaluatedKey" in page:
        page = await dynamodb.scan(**asked, ExclusiveStartKey=page["LastEvaluatedKey"])
        total += page["Count"]
    return int(total)


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


async def _pages(dynamodb: Any, table: str, **asked: Any) -> AsyncIterator[list[Any]]:
    start: dict[str, Any] = {}
    while True:
        page = await dynamodb.scan(TableName=table, ConsistentRead=True, **asked, **start)
        yield page["Items"]
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
