"""A customer's history, page by page: newest first, an order once at its earliest time, never split.

The index has one entry for each part of an order. An order stands at its earliest entry and nowhere else, so
a page only needs to know the sort key of the last entry that was dealt with: the next page begins below it.
Sort keys end in source and order number, so two orders of one moment never hide each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader, StoredOrder

MAX_PAGE_BYTES = 1024 * 1024
MAX_ENTRIES = 1_000
"""Index entries that one request looks at; only a history of orders in many parts comes near."""

ENVELOPE_BYTES = 600
"""More than the page's JSON beside its orders: two names, brackets, a cursor of at most 512 characters."""

_READ_AHEAD = 8


@dataclass(slots=True)
class Page:
    """One page.

    Args:
        orders: documents, newest first.
        after: sort key to go on from, None when the history is at its end.
    """

    orders: list[bytes] = field(default_factory=list)
    after: str | None = None


class History:
    """Reads pages of customers' histories."""

    def __init__(self, reader: OrderReader, metrics: StorefrontMetrics) -> None:
        self._reader = reader
        self._metrics = metrics

    async def page(self, customer_id: str, limit: int, after: str | None) -> Page:
        """Read the page below `after`; it ends at `limit` orders or 1 MiB, but holds at least one order.

        It also ends after 1,000 index entries; then it may hold fewer orders, even none, and still go on.

        Args:
            limit: 1 or more.
            after: what the page before said, None for the newest orders.

        Raises:
            OrderTooLarge, Retryable: as the reader does.
        """
        page = Page()
        size_bytes = ENVELOPE_BYTES
        dealt_with = after
        entries = 0
        async with aclosing(self._placed(customer_id, limit, after)) as placed:
            async for entry, document in placed:
                size_bytes += len(document) + 1
                full = len(page.orders) == limit or (page.orders and size_bytes > MAX_PAGE_BYTES)
                if full or entries == MAX_ENTRIES:
                    page.after = dealt_with
                    break
                if document:
                    page.orders.append(document)
                dealt_with = entry
                entries += 1
        return page

    async def _placed(
        self, customer_id: str, limit: int, after: str | None
    ) -> AsyncGenerator[tuple[str, bytes], None]:
        """Every entry once, with the document of the order that stands there, b"" where none does."""
        places: dict[str, str | None] = {}
        async with aclosing(self._windows(customer_id, limit, after)) as windows:
            async for window in windows:
                wanted = {
                    _identity(entry) for entry in window if places.get(_identity(entry), entry) == entry
                }
                found = dict(await asyncio.gather(*(self._order(identity) for identity in wanted)))
                places.update((one, _place(order, customer_id)) for one, order in found.items())
                for entry in window:
                    order = found.get(_identity(entry))
                    if order is not None and places[_identity(entry)] == entry:
                        yield entry, order.document
                    else:
                        self._metrics.skipped_entries.inc()
                        yield entry, b""

    async def _windows(
        self, customer_id: str, limit: int, after: str | None
    ) -> AsyncGenerator[list[str], None]:
        """The entries below `after`, a few at a time; equal ones, parts of one order at one time, once."""
        start_key = None
        last = None
        while True:
            entries, start_key = await self._reader.entries(customer_id, after, limit + 1, start_key)
            distinct = []
            for entry in entries:
                if entry != last:
                    distinct.append(entry)
                last = entry
            for at in range(0, len(distinct), _READ_AHEAD):
                yield distinct[at : at + _READ_AHEAD]
            if start_key is None:
                return

    async def _order(self, identity: str) -> tuple[str, StoredOrder | None]:
        source, order_id = identity.split("#")
        found = await self._reader.orders(order_id, source)
        return identity, found[0] if found else None


def _identity(entry: str) -> str:
    return entry.split("#", 1)[1]


def _place(order: StoredOrder | None, customer_id: str) -> str | None:
    """The entry at which an order stands in a customer's history; None where it is not theirs."""
    if order is None or order.customer_id != customer_id:
        return None
    return f"{order.listed_at[customer_id]}#{order.source}#{order.order_id}"
