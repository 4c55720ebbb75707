"""Every metric of lake_writer: its two consumer groups have their own, by name."""

from __future__ import annotations

from services.kernel.core.metrics import Metrics, counter, gauge, histogram
from services.kernel.streams.group_metrics import GroupMetrics

_OBJECT_BUCKETS_BYTES = tuple(float(2**power) for power in range(12, 28, 2))
_ROW_BUCKETS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 50_000.0, 100_000.0, 250_000.0, 500_000.0)
_STREAM_TO_LANDING_BUCKETS_S = (1.0, 5.0, 15.0, 30.0, 60.0, 75.0, 90.0, 120.0, 300.0, 900.0, 3600.0, 86400.0)


class LandingMetrics(Metrics):
    """What became of the records of one stream on their way into landing objects."""

    objects = counter("objects", "Objects written, by what closed them.", ["closed_by"], unit="objects")
    rows = counter("rows", "Rows in objects written; a redelivered record's count again.", unit="rows")
    newer_records = counter(
        "newer_records",
        "Records with fields that the contract does not name; kept as `unknown`.",
        unit="records",
    )
    object_bytes = histogram(
        "object_bytes",
        "Size of an object written; many small ones make every read of the lake slower.",
        unit="bytes",
        buckets=_OBJECT_BUCKETS_BYTES,
    )
    object_rows = histogram("object_rows", "Rows of an object written.", unit="rows", buckets=_ROW_BUCKETS)
    put_s = histogram(
        "put_seconds", "Duration of one try to put an object, failed ones included.", unit="seconds"
    )
    open_batches = gauge("open_batches", "Shards with records that wait to become an object.")
    open_batch_bytes = gauge(
        "open_batch_bytes", "Bytes of records that wait to become objects, over all shards.", unit="bytes"
    )
    open_batch_bytes_limit = gauge("open_batch_bytes_limit", "Bound of open_batch_bytes.", unit="bytes")
    objects_in_flight = gauge(
        "objects_in_flight", "Objects closed and not yet durable, those without a turn included."
    )
    writes_at_once = gauge(
        "writes_at_once", "Bound of the objects that are encoded and put at the same time."
    )
    stream_to_landing_s = histogram(
        "stream_to_landing_seconds",
        "From the arrival of an object's first record in the stream until the object is durable.",
        unit="seconds",
        buckets=_STREAM_TO_LANDING_BUCKETS_S,
    )


class OrdersMetrics(GroupMetrics, LandingMetrics):
    """The group that reads `orders`."""

    service = "lake_writer"


class RejectedMetrics(GroupMetrics, LandingMetrics):
    """The group that reads `rejected`."""

    service = "lake_writer_rejected"
