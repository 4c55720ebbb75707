"""The name of a landing object: where it came from, so that the same records always have the same one."""

from __future__ import annotations

from datetime import UTC, datetime

from services.kernel.streams.records import Record

SEQUENCE_NUMBER_DIGITS = 56
"""Kinesis sequence numbers have at most this many; padded so that text compares as numbers do."""


def padded(sequence_number: int) -> str:
    """A sequence number as text that sorts as the number does."""
    return str(sequence_number).zfill(SEQUENCE_NUMBER_DIGITS)


def object_key(prefix: str, first: Record, last: Record) -> str:
    """Name the object that holds one shard's records from `first` to `last`.

    Args:
        prefix: of the landing, such as `landing/orders/v1/`.

    Returns:
        `<prefix>ingested_hour=2026-11-27T05/<shard>-<first>-<sub>-<last>-<sub>.parquet`; the hour is the one in which
        the stream took the first record, in UTC.
    """
    hour = datetime.fromtimestamp(first.arrived_at_ms / 1000, UTC).strftime("%Y-%m-%dT%H")
    places = "-".join(f"{padded(one.sequence_number)}-{one.sub_sequence}" for one in (first, last))
    return f"{prefix}ingested_hour={hour}/{first.shard_id}-{places}.parquet"
