"""What each change of a lease leaves as it was, and where care and poison begin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.streams import deaths
from services.kernel.streams.lease import SHARD_END, Lease

HELD = Lease(
    "s",
    owner="old",
    counter=4,
    checkpoint="10",
    sub_sequence=2,
    parents=("p",),
    owner_switches=3,
    deaths=1,
    attempt_sequence=12,
    attempts=2,
)


def test_a_death_is_counted_beside_those_before_and_nothing_else_changes() -> None:
    assert deaths.taken_over(HELD, "new") == replace(HELD, owner="new", owner_switches=4, deaths=2)


@pytest.mark.parametrize("owner", [None, "new"])
def test_a_take_without_a_death_counts_nothing(owner: str | None) -> None:
    free = replace(HELD, owner=owner)
    assert deaths.taken_over(free, "new") == replace(HELD, owner="new")


def test_a_steal_is_a_switch_and_no_death() -> None:
    assert deaths.stolen(HELD, "new") == replace(HELD, owner="new", owner_switches=4)


def test_a_checkpoint_that_moves_forgets_deaths_and_switches_and_keeps_a_later_mark() -> None:
    assert deaths.advanced(HELD, "11", 5) == replace(
        HELD, checkpoint="11", sub_sequence=5, deaths=0, owner_switches=0
    )


def test_a_checkpoint_that_stands_still_changes_nothing() -> None:
    assert deaths.advanced(HELD, "10", 2) is HELD


def test_progress_within_an_aggregate_is_progress() -> None:
    moved = deaths.advanced(HELD, "10", 3)
    assert (moved.checkpoint, moved.sub_sequence, moved.deaths) == ("10", 3, 0)


@pytest.mark.parametrize("checkpoint", ["12", "13", SHARD_END])
def test_a_checkpoint_that_reaches_the_mark_takes_it_away(checkpoint: str) -> None:
    moved = deaths.advanced(HELD, checkpoint, 0)
    assert (moved.attempt_sequence, moved.attempts) == (None, 0)


def test_a_lease_without_a_mark_moves_on_without_one() -> None:
    moved = deaths.advanced(deaths.cleared(HELD), "13", 0)
    assert (moved.checkpoint, moved.attempt_sequence, moved.attempts) == ("13", None, 0)


def test_blame_adds_up_and_keeps_the_rest() -> None:
    assert deaths.blamed(HELD, 12) == replace(HELD, attempts=3)
    assert deaths.blamed(HELD, 11) == replace(HELD, attempt_sequence=11, attempts=1)


def test_clearing_takes_away_the_mark_alone() -> None:
    assert deaths.cleared(HELD) == replace(HELD, attempt_sequence=None, attempts=0)


@pytest.mark.parametrize(
    ("count", "attempts", "careful"),
    [(0, 0, False), (0, 2, False), (1, 0, False), (1, 1, True), (2, 0, True), (3, 0, True), (3, 1, True)],
)
def test_when_a_shard_is_read_with_care(count: int, attempts: int, careful: bool) -> None:
    assert deaths.needs_care(replace(HELD, deaths=count, attempts=attempts)) is careful


@pytest.mark.parametrize(("attempts", "poison"), [(2, False), (3, True), (4, True)])
def test_when_a_record_is_poison(attempts: int, poison: bool) -> None:
    lease = replace(HELD, attempts=attempts)
    assert deaths.is_poison(lease, 12) is poison
    assert not deaths.is_poison(lease, 11)


def test_a_checkpoint_that_moves_leaves_the_time_it_began_at() -> None:
    assert (
        deaths.advanced(replace(HELD, checkpoint="AT_TIMESTAMP", timestamp_ms=5), "11", 0).timestamp_ms
        is None
    )
