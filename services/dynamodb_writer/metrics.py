"""Every metric of the writer."""

from __future__ import annotations

from services.kernel.core.metrics import counter, histogram
from services.kernel.streams.group_metrics import GroupMetrics

_STREAM_TO_STORE_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)


class WriterMetrics(GroupMetrics):
    """What every consumer shows, and what the order store did with the records it was given."""

    service = "dynamodb_writer"

    inserted_first = counter(
        "inserted_first_parts", "Parts stored as the first of their order.", unit="parts"
    )
    inserted_further = counter(
        "inserted_further_parts", "Parts stored beside another one of their order.", unit="parts"
    )
    repeated = counter(
        "repeated_parts", "Records whose part was stored already; they changed nothing.", unit="records"
    )
    lowered = counter(
        "lowered_parts", "Repeats that came earlier in the stream than the stored part.", unit="records"
    )
    conflicts = counter(
        "conflicting_parts",
        "Parts put into `rejected` because a line is stored with other content; a repeat counts again.",
        unit="parts",
    )
    insert_calls = counter(
        "insert_calls", "Calls that carried inserts, one or up to 25 of them.", unit="calls"
    )
    throttled = counter(
        "throttled_puts", "Writes of one part that DynamoDB refused for their pace.", unit="puts"
    )
    put_s = histogram(
        "put_seconds",
        "Duration of one part's write, refused ones included; of a batch every part has the whole of it.",
        unit="seconds",
    )
    stream_to_store_s = histogram(
        "stream_to_store_seconds",
        "From the record's arrival in the stream to its durable effect.",
        unit="seconds",
        buckets=_STREAM_TO_STORE_BUCKETS_S,
    )
