"""Every metric of order_ingest."""

from __future__ import annotations

from services.kernel.core.metrics import counter, gauge, histogram
from services.kernel.streams.producer_metrics import ProducerMetrics


class IngestMetrics(ProducerMetrics):
    """What an operator sees of the orders' front door."""

    service = "order_ingest"

    requests = counter(
        "requests", "Requests answered, by path (or other) and HTTP status.", ("path", "status")
    )
    orders = counter(
        "orders",
        "Orders answered, by way (single, batch) and status; 202 is in the stream.",
        ("way", "status"),
    )
    lines = counter("lines", "Lines of the orders that the stream has.")
    parts = counter("parts", "Records of the orders that the stream has.")
    body_bytes = counter("body_bytes", "Bytes of bodies read.", unit="bytes")
    record_bytes = counter("record_bytes", "Bytes of the records that the stream has.", unit="bytes")
    rejected = counter("rejected", "Orders and requests that were not taken, by error code.", ("code",))
    rate_limited = counter(
        "rate_limited", "Requests refused, and batches slowed, by what ran out (orders, bytes).", ("what",)
    )
    in_flight_bytes = gauge(
        "in_flight_bytes", "Bytes of bodies and records held now, reservations included.", unit="bytes"
    )
    in_flight_limit_bytes = gauge(
        "in_flight_limit_bytes", "What in_flight_bytes may reach; past it 503.", unit="bytes"
    )
    connections = gauge("connections", "Connections open now.")
    connections_limit = gauge("connections_limit", "How many may be open.")
    closed = counter(
        "closed",
        "Connections cut off, by why: head (slow or silent), body (slow), write (answers unread), "
        "head_size, limit (too many connections).",
        ("why",),
    )
    latency = histogram(
        "latency_s", "Seconds from a request's head to its 202, single orders only.", unit="seconds"
    )
