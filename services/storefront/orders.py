"""Reads whole orders from the table `order_history`: every part, strongly consistent, united."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from contracts import codec
from contracts.order_union import UnitedOrder, union
from services.kernel.adapters.dynamodb import Item, Page
from services.kernel.core.errors import CadabraError
from services.kernel.core.retry import Retry
from services.storefront.metrics import StorefrontMetrics

MAX_ORDER_BYTES = 64 * 1024 * 1024
"""An order whose parts are longer together, unpacked, is not served: it would take the process's memory. An
order of 20,000 lines has about 4 MiB."""

OFF_LOOP_BYTES = 64 * 1024
"""Orders whose packed parts are longer are united in a thread, so that the others need not wait."""

_EXACT = Context(prec=60)  # 18 digits of price, 10 of quantity, 6 for the number of lines, and room

T = TypeVar("T")
_decode = codec.decoder("order", 1)


class OrderTooLarge(CadabraError):
    """The order's parts are longer together than MAX_ORDER_BYTES."""


class Table(Protocol):
    """What the storefront needs of DynamoDB."""

    async def query(
        self,
        table: str,
        key_condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
        index: str | None = None,
        forward: bool = True,
        limit: int | None = None,
        start_key: Mapping[str, Any] | None = None,
        consistent: bool = False,
    ) -> Page: ...


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """One order, whole.

    Args:
        source, order_id, customer_id: whose it is; None for a guest.
        listed_at: per customer that a part names, the earliest time of those parts: the order's place in that
            customer's history.
        document: the order as the API shows it, JSON.
    """

    source: str
    order_id: str
    customer_id: str | None
    listed_at: dict[str, str]
    document: bytes


class OrderReader:
    """Reads orders; every DynamoDB call takes one of a bounded number of slots.

    Args:
        table: physical name of `order_history`.
        max_reads: calls in flight at once, over all requests.
        retry: for calls that are throttled or fail; its budget is shorter than a request may take.
    """

    def __init__(
        self, dynamodb: Table, table: str, metrics: StorefrontMetrics, max_reads: int, retry: Retry
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._metrics = metrics
        self._slots = asyncio.Semaphore(max_reads)
        self._retry = retry

    async def orders(self, order_id: str, source: str | None = None) -> list[StoredOrder]:
        """Read all orders with this number, one a source, by source.

        Args:
            source: only that sender's.

        Raises:
            OrderTooLarge: one of them is past the limit.
            Retryable: the table is away or throttles.
        """
        return await self._found(order_id, source, _stored)

    async def united(self, order_id: str, source: str) -> list[UnitedOrder[codec.OrderLine]]:
        """Read a sender's order with this number, as its lines are; empty where there is none.

        Raises:
            OrderTooLarge, Retryable: as `orders` does.
        """
        return await self._found(order_id, source, union)

    async def _found(
        self, order_id: str, source: str | None, make: Callable[[list[tuple[int, codec.Order]]], T]
    ) -> list[T]:
        condition, values = "order_id = :order_id", {":order_id": {"S": order_id}}
        if source is not None:
            condition += " AND begins_with(part, :part)"
            values[":part"] = {"S": f"{source}#"}
        items: list[Item] = []
        start_key: Item | None = None
        while True:
            page = await self._query("parts", condition, values, start_key=start_key, consistent=True)
            items += page.items
            start_key = page.last_key
            if _packed_bytes(items) > MAX_ORDER_BYTES:
                raise OrderTooLarge(f"{len(items)} parts and more")
            if start_key is None:
                break
        if _packed_bytes(items) > OFF_LOOP_BYTES:
            found = await asyncio.to_thread(_by_source, items, make)
        else:
            found = _by_source(items, make)
        self._metrics.orders_read.inc(len(found))
        return found

    async def entries(
        self, customer_id: str, before: str | None, limit: int, start_key: Item | None
    ) -> tuple[list[str], Item | None]:
        """Read one page of the index by customer, newest first, eventually consistent.

        Args:
            before: only entries whose sort key is smaller.

        Returns:
            Sort keys `<time>#<source>#<order_id>`, and the key to go on from, None at the end.
        """
        condition, values = "customer_id = :customer", {":customer": {"S": customer_id}}
        if before is not None:
            condition += " AND customer_sort < :before"
            values[":before"] = {"S": before}
        page = await self._query(
            "index",
            condition,
            values,
            index="by_customer",
            forward=False,
            limit=limit,
            start_key=start_key,
        )
        return [item["customer_sort"]["S"] for item in page.items], page.last_key

    async def entries_since(self, customer_id: str, since: str, limit: int) -> tuple[list[str], bool]:
        """Read the newest index entries of a customer from a time on, eventually consistent.

        Args:
            since: RFC 3339 with milliseconds, inclusive.
            limit: entries at most.

        Returns:
            Sort keys as `entries` gives them, and whether there may be more.
        """
        page = await self._query(
            "since",
            "customer_id = :customer AND customer_sort >= :since",
            {":customer": {"S": customer_id}, ":since": {"S": since}},
            index="by_customer",
            forward=False,
            limit=limit,
        )
        return [item["customer_sort"]["S"] for item in page.items], page.last_key is not None

    async def _query(self, what: str, condition: str, values: Item, **arguments: Any) -> Page:
        async def once() -> Page:
            self._metrics.reads.labels(what=what).inc()
            async with self._slots:
                return await self._dynamodb.query(self._table, condition, values, **arguments)

        return await self._retry.call(once)


def _packed_bytes(items: Sequence[Item]) -> int:
    return sum(len(item["body"]["B"]) for item in items)


def _by_source(items: Sequence[Item], make: Callable[[list[tuple[int, codec.Order]]], T]) -> list[T]:
    by_source: dict[str, list[tuple[int, codec.Order]]] = {}
    budget = MAX_ORDER_BYTES
    for item in items:
        data = _unpacked(item["body"]["B"], budget)
        budget -= len(data)
        part = (int(item["sequence_number"]["S"]), _decode(data))
        by_source.setdefault(item["source"]["S"], []).append(part)
    return [make(parts) for _, parts in sorted(by_source.items())]


def _unpacked(body: bytes, max_bytes: int) -> bytes:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(body, max_bytes + 1)
    if len(data) > max_bytes:
        raise OrderTooLarge(f"more than {MAX_ORDER_BYTES} bytes")
    return data


def _stored(parts: list[tuple[int, codec.Order]]) -> StoredOrder:
    united = union(parts)
    listed_at: dict[str, str] = {}
    for _, part in parts:
        if part.customer_id is not None:
            known = listed_at.get(part.customer_id, part.ordered_at)
            listed_at[part.customer_id] = min(known, part.ordered_at)
    return StoredOrder(united.source, united.order_id, united.customer_id, listed_at, document(united))


def document(order: UnitedOrder[codec.OrderLine]) -> bytes:
    """An order as the API shows it, JSON in UTF-8."""
    return msgspec.json.encode(
        {
            "order_id": order.order_id,
            "source": order.source,
            "ordered_at": order.ordered_at,
            "kind": order.kind,
            "customer_id": order.customer_id,
            "country": order.country,
            "currency": order.currency,
            "total": total(order.lines),
            "lines": order.lines,
        }
    )


def total(lines: Sequence[codec.OrderLine]) -> str:
    """The exact sum of quantity times unit price, a plain decimal with as many places as the prices have."""
    sum_ = Decimal(0)
    for line in lines:
        sum_ = _EXACT.add(sum_, _EXACT.multiply(Decimal(line.unit_price), Decimal(line.quantity)))
    return format(sum_ if sum_ else abs(sum_), "f")
