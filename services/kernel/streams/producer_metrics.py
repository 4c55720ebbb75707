"""Metrics of a producer; the metrics of a service that has one inherit from them."""

from __future__ import annotations

from services.kernel.core.metrics import LATENCY_BUCKETS_S, Metrics, counter, gauge, histogram

_BATCH_BUCKETS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)


class ProducerMetrics(Metrics):
    """What an operator watches of a producer."""

    producer_pending = gauge(
        "producer_pending_bytes", "Bytes taken and not yet settled, overhead included.", unit="bytes"
    )
    producer_pending_limit = gauge(
        "producer_pending_limit_bytes", "Bound of producer_pending_bytes.", unit="bytes"
    )
    producer_records = counter("producer_records", "Records that the stream has taken.")
    producer_retried = counter(
        "producer_retried", "Records sent again, by the code of the failure.", labels=("code",)
    )
    producer_timed_out = counter("producer_timed_out", "Records given up with an unknown outcome.")
    producer_refused = counter(
        "producer_refused", "Records not taken because the pending bytes were at their bound."
    )
    producer_batch = histogram("producer_batch_records", "Records in one call.", buckets=_BATCH_BUCKETS)
    producer_call = histogram(
        "producer_call_seconds",
        "Time of one call, failed ones included.",
        unit="s",
        buckets=LATENCY_BUCKETS_S,
    )
