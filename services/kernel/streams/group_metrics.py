"""Metrics that every consumer shares; a service's metrics inherit from them."""

from __future__ import annotations

from services.kernel.core.metrics import Metrics, counter, gauge


class GroupMetrics(Metrics):
    """What an operator watches of a consumer group's worker."""

    records_handled = counter("records_handled", "Records whose effect is durable, rejected ones included.")
    records_rejected = counter("records_rejected", "Records that went to `rejected`.", ["reason"])
    records_retried = counter("records_retried", "Tries that ended in a retryable error.", ["error"])
    records_refetched = counter(
        "records_refetched",
        "Records read again, after an expired iterator or at the checkpoint of a lease just taken, passed over.",
    )
    lag = gauge(
        "lag_seconds",
        "Largest lag over all shards of the stream, those that nobody reads included.",
        unit="s",
    )
    oldest_open = gauge(
        "oldest_open_seconds", "Age of the oldest record fetched and not acknowledged.", unit="s"
    )
    open_bytes = gauge("open_bytes", "Bytes fetched or being fetched and not acknowledged.", unit="bytes")
    open_bytes_limit = gauge("open_bytes_limit", "Bound of open_bytes.", unit="bytes")
    leases_held = gauge("leases_held", "Shards that this worker reads.")
    leases_lost = counter("leases_lost", "Leases that another worker took, or that could not be kept.")
    leases_taken = counter("leases_taken", "Leases taken.", ["how"])
    shards_paused = gauge("shards_paused", "Shards whose reading is paused until an operator resumes it.")
    records_lost_possible = gauge(
        "records_lost_possible", "Shards that are gone from the stream without having been read to their end."
    )
    fetch_errors = counter("fetch_errors", "Reads of a shard that failed and were tried again.", ["error"])
    checkpoints = counter("checkpoints", "Checkpoints written.")
