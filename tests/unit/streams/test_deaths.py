"""Who is blamed when owners of a shard keep dying."""

from __future__ import annotations

from dataclasses import replace

from services.kernel.streams import deaths
from services.kernel.streams.lease import SHARD_END, Lease

HELD = Lease("s", owner="old", checkpoint="10")


def test_taking_over_from_the_dead_counts_and_from_a_release_does_not() -> None:
    assert deaths.taken_over(HELD, "new").deaths == 1
    assert deaths.taken_over(replace(HELD, owner=None), "new").deaths == 0
    assert deaths.taken_over(HELD, "old").deaths == 0
    assert deaths.stolen(HELD, "new").deaths == 0


def test_care_begins_with_the_second_death_without_progress() -> None:
    once = deaths.taken_over(HELD, "b")
    twice = deaths.taken_over(once, "c")
    assert not deaths.needs_care(once)
    assert deaths.needs_care(twice)
    assert not deaths.needs_care(deaths.advanced(twice, "11", 0))
    assert deaths.needs_care(deaths.advanced(twice, "10", 0))


def test_a_death_that_left_a_mark_asks_for_care_at_once() -> None:
    marked = deaths.blamed(HELD, 11)
    assert deaths.needs_care(deaths.taken_over(marked, "b"))
    assert not deaths.needs_care(deaths.taken_over(replace(marked, owner=None), "b"))


def test_a_record_named_three_times_is_poison() -> None:
    lease = HELD
    for attempts in (1, 2, 3):
        assert not deaths.is_poison(lease, 11)
        lease = deaths.blamed(lease, 11)
        assert lease.attempts == attempts
    assert deaths.is_poison(lease, 11)
    assert not deaths.is_poison(lease, 12)


def test_naming_another_record_begins_anew() -> None:
    lease = deaths.blamed(deaths.blamed(HELD, 11), 12)
    assert (lease.attempt_sequence, lease.attempts) == (12, 1)


def test_a_mark_is_kept_until_the_checkpoint_passes_its_record() -> None:
    lease = deaths.blamed(HELD, 15)
    assert deaths.advanced(lease, "14", 0).attempts == 1
    assert deaths.advanced(lease, "15", 0).attempt_sequence is None
    assert deaths.advanced(lease, SHARD_END, 0).attempt_sequence is None


def test_a_record_that_waits_for_its_sink_is_not_blamed() -> None:
    assert deaths.cleared(deaths.blamed(HELD, 11)) == HELD


def test_one_record_of_an_aggregate_is_blamed_and_not_its_neighbour() -> None:
    lease = HELD
    for attempts in (1, 2, 3):
        lease = deaths.blamed(lease, 11, 4)
        assert lease.attempts == attempts
    assert deaths.is_poison(lease, 11, 4)
    assert not deaths.is_poison(lease, 11, 3)
    assert not deaths.is_poison(lease, 11)
    assert deaths.blamed(lease, 11, 5).attempts == 1


def test_a_mark_inside_an_aggregate_is_kept_until_the_checkpoint_passes_its_place() -> None:
    lease = deaths.blamed(HELD, 11, 4)
    assert deaths.advanced(lease, "11", 3).attempt_sequence == 11
    passed = deaths.advanced(lease, "11", 4)
    assert (passed.attempt_sequence, passed.attempt_sub_sequence) == (None, 0)
    assert deaths.advanced(lease, "12", 0).attempt_sequence is None
    assert deaths.cleared(lease) == HELD
