"""Every metric of the storefront."""

from __future__ import annotations

from services.kernel.core.http_api import RequestMetrics
from services.kernel.core.metrics import counter


class StorefrontMetrics(RequestMetrics):
    """What was asked, how it was answered, how long it took and what it cost the table."""

    service = "storefront"

    reads = counter("reads", "Query calls to DynamoDB.", labels=("what",), unit="calls")
    orders_read = counter("orders_read", "Orders united from their parts.", unit="orders")
    skipped_entries = counter(
        "skipped_entries",
        "Index entries passed over: a later part's, or a part's whose order is another customer's.",
        unit="entries",
    )
    invalid_cursors = counter("invalid_cursors", "Cursors refused.", unit="requests")
