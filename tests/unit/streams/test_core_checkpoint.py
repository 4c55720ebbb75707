"""Edges of the tracker: nothing open, records that were never handed out, the very first numbers."""

from __future__ import annotations

from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.records import Record


def record(number: int, sub: int = 0, size: int = 3) -> Record:
    return Record("s", number, "key", b"x" * size, 0, sub)


def test_a_fresh_tracker_has_nothing() -> None:
    tracker = CheckpointTracker()
    assert (tracker.checkpoint, tracker.oldest_open) == (None, None)
    assert (tracker.open_bytes, tracker.open_records) == (0, 0)


def test_the_first_record_of_all_is_handed_out_and_checkpointed() -> None:
    tracker = CheckpointTracker()
    [first] = tracker.hand_out([record(0)])
    assert tracker.acknowledge(first)
    assert tracker.checkpoint == (0, 0)


def test_a_record_that_was_never_handed_out_is_not_acknowledged() -> None:
    tracker = CheckpointTracker()
    assert tracker.acknowledge(record(5)) is False
    tracker.hand_out([record(6)])
    assert tracker.acknowledge(record(5)) is False
    assert (tracker.checkpoint, tracker.open_records, tracker.open_bytes) == (None, 1, 3)


def test_a_repeat_neither_opens_again_nor_costs_again() -> None:
    tracker = CheckpointTracker()
    tracker.hand_out([record(1), record(2)])
    assert tracker.hand_out([record(1), record(2)]) == []
    assert (tracker.open_records, tracker.open_bytes) == (2, 6)


def test_a_second_acknowledgement_frees_nothing_again() -> None:
    tracker = CheckpointTracker()
    first, second = tracker.hand_out([record(1), record(2)])
    assert tracker.acknowledge(second)
    assert not tracker.acknowledge(second)
    assert (tracker.open_records, tracker.open_bytes, tracker.oldest_open) == (1, 3, first)


def test_a_record_of_no_bytes_is_open_like_any_other() -> None:
    tracker = CheckpointTracker()
    [empty] = tracker.hand_out([record(4, size=0)])
    assert tracker.oldest_open == empty
    assert tracker.acknowledge(empty)
    assert tracker.checkpoint == (4, 0)


def test_what_is_done_holds_no_memory() -> None:
    tracker = CheckpointTracker()
    for one in tracker.hand_out([record(n) for n in range(1_000)]):
        tracker.acknowledge(one)
    assert len(tracker._open) == 0
