"""Every metric of the storefront."""

from __future__ import annotations

from services.kernel.core.metrics import Metrics, counter, gauge, histogram


class StorefrontMetrics(Metrics):
    """What was asked, how it was answered, how long it took and what it cost the table."""

    service = "storefront"

    requests = counter("requests", "Requests answered.", labels=("route", "status"), unit="requests")
    request_s = histogram(
        "request_seconds", "From the request's head to its whole answer.", labels=("route",), unit="seconds"
    )
    open_requests = gauge("open_requests", "Requests at work.", unit="requests")
    reads = counter("reads", "Query calls to DynamoDB.", labels=("what",), unit="calls")
    orders_read = counter("orders_read", "Orders united from their parts.", unit="orders")
    skipped_entries = counter(
        "skipped_entries",
        "Index entries passed over: a later part's, or a part's whose order is another customer's.",
        unit="entries",
    )
    invalid_cursors = counter("invalid_cursors", "Cursors refused.", unit="requests")
