"""The checkpoint follows the acknowledgements without a gap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.records import Record


def record(number: int, sub: int = 0) -> Record:
    return Record("s", number, "key", b"x" * (number % 7), 0, sub)


@given(
    numbers=st.lists(st.integers(0, 10_000), unique=True, max_size=60).map(sorted),
    order=st.randoms(use_true_random=False),
)
def test_in_any_order_of_acknowledgement_the_checkpoint_is_the_highest_without_a_gap(
    numbers: list[int], order: object
) -> None:
    tracker = CheckpointTracker()
    records = tracker.hand_out([record(n) for n in numbers])
    shuffled = list(records)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    done: set[int] = set()
    last = (-1, 0)
    for one in shuffled:
        assert tracker.acknowledge(one)
        assert not tracker.acknowledge(one)
        done.add(one.sequence_number)
        without_gap = [
            n for at, n in enumerate(numbers) if all(before in done for before in numbers[: at + 1])
        ]
        expected = (without_gap[-1], 0) if without_gap else None
        assert tracker.checkpoint == expected
        if expected is not None:
            assert expected >= last
            last = expected
        still_open = [n for n in numbers if n not in done]
        oldest = tracker.oldest_open
        assert (oldest.sequence_number if oldest else None) == (still_open[0] if still_open else None)
        assert tracker.open_records == len(still_open)
        assert tracker.open_bytes == sum(n % 7 for n in still_open)


def test_records_that_are_read_again_are_handed_out_once() -> None:
    tracker = CheckpointTracker()
    assert len(tracker.hand_out([record(1), record(2)])) == 2
    assert [r.sequence_number for r in tracker.hand_out([record(1), record(2), record(3)])] == [3]


def test_records_inside_an_aggregate_have_places_of_their_own() -> None:
    tracker = CheckpointTracker()
    first, second = tracker.hand_out([record(5, 0), record(5, 1)])
    tracker.acknowledge(second)
    assert tracker.checkpoint is None
    tracker.acknowledge(first)
    assert tracker.checkpoint == (5, 1)


def test_what_was_done_before_is_passed_over_to_the_record_inside_an_aggregate() -> None:
    tracker = CheckpointTracker((5, 1))
    found = tracker.hand_out([record(4), record(5, 0), record(5, 1), record(5, 2), record(6)])
    assert [(one.sequence_number, one.sub_sequence) for one in found] == [(5, 2), (6, 0)]
    assert tracker.checkpoint is None
    tracker.acknowledge(found[0])
    assert tracker.checkpoint == (5, 2)
