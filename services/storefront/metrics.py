"""Every metric of the storefront."""

from __future__ import annotations

from services.kernel.core.http_api import RequestMetrics
from services.kernel.core.metrics import counter, gauge


class StorefrontMetrics(RequestMetrics):
    """What was asked, how it was answered, how long it took and what it cost the table."""

    service = "storefront"

    reads = counter("reads", "Reading calls to DynamoDB.", labels=("what",), unit="calls")
    orders_read = counter("orders_read", "Orders united from their parts.", unit="orders")
    skipped_entries = counter(
        "skipped_entries",
        "Index entries passed over: a later part's, or a part's whose order is another customer's.",
        unit="entries",
    )
    invalid_cursors = counter("invalid_cursors", "Cursors refused.", unit="requests")
    recommendations = counter(
        "recommendations",
        "Lists answered, and what stood in for a list that had nothing of its own (none, country, everywhere).",
        labels=("list", "fallback"),
        unit="lists",
    )
    degraded = counter(
        "degraded",
        "Lists answered without something: recommendations (their table), order_history.",
        labels=("what",),
        unit="lists",
    )
    left_out = counter(
        "left_out", "Articles left out of a list, for they were bought since the training.", unit="articles"
    )
    filled_up = counter(
        "filled_up", "Popular articles that filled up a list with too few of its own.", unit="articles"
    )
    since_cut = counter(
        "since_cut", "Looks at orders since the training that met more than they may read.", unit="looks"
    )
    flips = counter("flips", "Times that another version was found in service.", unit="flips")
    pointer_age_s = gauge(
        "pointer_age_seconds",
        "Since it was last read which version is in service; grows while nobody asks, infinite before the first.",
        unit="seconds",
    )
    trained_until_s = gauge(
        "trained_until_seconds",
        "Up to when the version in service knows orders, since the epoch; 0 while there is none.",
        unit="seconds",
    )
    cached_records = gauge("cached_records", "Products' and countries' records in memory.", unit="records")
    cached_bytes = gauge("cached_bytes", "Bytes of these records, as they are stored.", unit="bytes")
    known_missing = gauge(
        "known_missing", "Subjects of which memory knows that the version has no record.", unit="subjects"
    )
    unreadable_records = counter(
        "unreadable_records", "Records that broke their contract and counted as not there.", unit="records"
    )
