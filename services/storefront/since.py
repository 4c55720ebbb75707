"""What a customer has bought since the training, from the order store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from contracts.codec import OrderLine
from contracts.order_union import UnitedOrder
from services.storefront.guard import Guard
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader, OrderTooLarge

MAX_ENTRIES = 100
"""Index entries that one look reads, the newest; an order has one for each of its parts."""

MAX_ORDERS = 25
"""Orders that one look reads, the newest."""


class Since:
    """Looks at customers' orders since a time.

    Args:
        guard: bounds a look in time.
    """

    def __init__(self, reader: OrderReader, guard: Guard, metrics: StorefrontMetrics) -> None:
        self._reader = reader
        self._guard = guard
        self._metrics = metrics

    async def bought(self, customer_id: str, since: str) -> frozenset[str]:
        """The articles that this customer has bought from a time on, and not sent back since.

        Args:
            since: RFC 3339 with milliseconds, inclusive.

        Raises:
            Retryable: the order store is away or slow.
        """
        return await self._guard.call(lambda: self._looked(customer_id, since))

    async def _looked(self, customer_id: str, since: str) -> frozenset[str]:
        entries, more = await self._reader.entries_since(customer_id, since, MAX_ENTRIES)
        if not entries:
            return frozenset()
        identities = list(dict.fromkeys(entry.split("#", 1)[1] for entry in entries))
        if more or len(identities) > MAX_ORDERS:
            self._metrics.since_cut.inc()
        read = await asyncio.gather(*map(self._orders, identities[:MAX_ORDERS]))
        return bought((order for orders in read for order in orders), customer_id, since)

    async def _orders(self, identity: str) -> list[UnitedOrder[OrderLine]]:
        source, order_id = identity.split("#")
        try:
            return await self._reader.united(order_id, source)
        except OrderTooLarge:
            self._metrics.since_cut.inc()
            return []


def bought(orders: Iterable[UnitedOrder[OrderLine]], customer_id: str, since: str) -> frozenset[str]:
    """The articles of these orders that their customer keeps: units sold and sent back since then above none.

    Lines before `since`, adjustments and other customers' orders do not count; nor do a sale's lines below zero and a
    cancellation's above, as in the training.
    """
    units: Counter[str] = Counter()
    for order in orders:
        sign = {"sale": 1, "cancellation": -1}.get(order.kind)
        if sign is None or order.customer_id != customer_id:
            continue
        for line in order.lines:
            if line.ordered_at >= since and line.quantity * sign > 0:
                units[line.stock_code] += line.quantity
    return frozenset(code for code, count in units.items() if count > 0)
