"""When a batch closes, and which are closed early; no clock, no S3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.intake import RECORD_OVERHEAD_BYTES
from services.kernel.streams.records import Record
from services.lake_writer.batching import Batch, Bounds, cost_bytes, to_relieve
from services.lake_writer.object_key import object_key

HOUR_MS = 3_600_000
BOUNDS = Bounds(max_bytes=10 * 2_000, max_rows=100, max_age_s=60.0)


def a_record(number: int = 1, arrived_at_ms: int = HOUR_MS, size_bytes: int = 976, sub: int = 0) -> Record:
    return Record("shardId-000000000003", number, "key", b"x" * size_bytes, arrived_at_ms, sub)


def a_batch(*records: Record, rows: int = 1, opened_at_s: float = 0.0) -> Batch[int]:
    batch: Batch[int] = Batch(records[0], opened_at_s)
    for number, record in enumerate(records):
        batch.add(record, rows, number)
    return batch


def test_a_record_costs_what_the_intake_reckons() -> None:
    assert cost_bytes(a_record()) == 976 + RECORD_OVERHEAD_BYTES == 2_000


def test_a_batch_knows_its_range_rows_and_bytes() -> None:
    batch = a_batch(a_record(7), a_record(8, sub=2), rows=20)
    assert (batch.first.sequence_number, batch.last.sequence_number, batch.last.sub_sequence) == (7, 8, 2)
    assert (batch.rows, batch.size_bytes, batch.items) == (40, 4_000, [0, 1])


@pytest.mark.parametrize(
    ("record", "rows", "why"),
    [
        (a_record(11), 10, None),
        (a_record(11), 11, "rows"),
        (a_record(11, size_bytes=976 + 10_001), 1, "bytes"),
        (a_record(11, size_bytes=976 + 10_000), 1, None),
        (a_record(11, arrived_at_ms=2 * HOUR_MS - 1), 1, None),
        (a_record(11, arrived_at_ms=2 * HOUR_MS), 1, "hour"),
        (a_record(11, arrived_at_ms=HOUR_MS - 1), 1, "hour"),
    ],
)
def test_what_does_not_fit_is_turned_away(record: Record, rows: int, why: str | None) -> None:
    batch = a_batch(*(a_record(number) for number in range(1, 5)), rows=22)
    batch.add(a_record(5), 2, 0)
    assert (batch.rows, batch.size_bytes) == (90, 10_000 - 2_000 + 2_000)
    bounds = Bounds(22_000, 100, 60.0) if why is None and len(record.data) > 1_000 else BOUNDS
    assert batch.turns_away(record, rows, bounds) == why


def test_a_record_larger_than_an_object_has_one_alone() -> None:
    huge = a_record(1, size_bytes=1_000_000)
    batch = a_batch(huge, rows=20_000)
    assert batch.turns_away(a_record(2), 1, BOUNDS) == "rows"
    assert a_batch(huge).turns_away(a_record(2), 1, BOUNDS) == "bytes"


def test_age_counts_from_the_first_record() -> None:
    assert a_batch(a_record(), opened_at_s=1_000.0).due_at_s(BOUNDS) == 1_060.0


def test_the_fullest_is_closed_first_and_of_equals_the_oldest() -> None:
    open_batches = {
        "small": a_batch(a_record(1)),
        "young": a_batch(a_record(1), a_record(2), opened_at_s=5.0),
        "old": a_batch(a_record(1), a_record(2), opened_at_s=4.0),
    }
    assert to_relieve(open_batches, 10_000) == []
    assert to_relieve(open_batches, 9_999) == ["old"]
    assert to_relieve(open_batches, 5_999) == ["old", "young"]
    assert to_relieve(open_batches, 0) == ["old", "young", "small"]


@given(st.lists(st.integers(1, 5_000), max_size=20), st.integers(0, 60_000))
def test_what_stays_open_keeps_the_bound_and_nothing_is_closed_for_nothing(
    sizes: list[int], limit: int
) -> None:
    open_batches = {at: a_batch(a_record(1, size_bytes=size)) for at, size in enumerate(sizes)}
    chosen = to_relieve(open_batches, limit)
    left = sum(batch.size_bytes for at, batch in open_batches.items() if at not in chosen)
    assert left <= limit or not (open_batches.keys() - chosen)
    if chosen:
        assert left + open_batches[chosen[-1]].size_bytes > limit


def test_a_key_says_where_its_records_are_from() -> None:
    """The hour is the stream's, in UTC; text order is number order."""
    at_ms = 1_795_755_600_000  # 2026-11-27T05:00:00Z
    first, last = a_record(9, at_ms), a_record(10**55, at_ms + 5, sub=4)
    key = object_key("landing/orders/v1/", first, last)
    assert key == (
        "landing/orders/v1/ingested_hour=2026-11-27T05/"
        f"shardId-000000000003-{'0' * 55}9-0-1{'0' * 55}-4.parquet"
    )
    assert object_key("p/", a_record(10, at_ms), last) > object_key("p/", first, last)
