"""Every attribute of a lease's row, present and absent."""

from __future__ import annotations

from typing import Any

import pytest

from services.kernel.streams.lease import SHARD_END, Lease, from_item, to_item
from services.kernel.streams.records import Position

FULL = Lease(
    "s",
    owner="w",
    counter=7,
    checkpoint="12",
    sub_sequence=3,
    parents=("a", "b"),
    children=("c", "d"),
    starting_hash_key="5",
    ending_hash_key="9",
    owner_switches=2,
    deaths=1,
    attempt_sequence=13,
    attempts=2,
    paused="why",
)
FULL_ROW: dict[str, dict[str, Any]] = {
    "leaseKey": {"S": "s"},
    "leaseOwner": {"S": "w"},
    "leaseCounter": {"N": "7"},
    "checkpoint": {"S": "12"},
    "checkpointSubSequenceNumber": {"N": "3"},
    "parentShardId": {"SS": ["a", "b"]},
    "childShardIds": {"SS": ["c", "d"]},
    "startingHashKey": {"S": "5"},
    "endingHashKey": {"S": "9"},
    "ownerSwitchesSinceCheckpoint": {"N": "2"},
    "deaths": {"N": "1"},
    "attemptSequence": {"S": "13"},
    "attempts": {"N": "2"},
    "pausedReason": {"S": "why"},
}
LEAST_ROW = {
    "leaseKey": {"S": "s"},
    "leaseCounter": {"N": "0"},
    "checkpoint": {"S": "TRIM_HORIZON"},
    "checkpointSubSequenceNumber": {"N": "0"},
    "ownerSwitchesSinceCheckpoint": {"N": "0"},
}


def test_a_new_lease_is_free_at_the_oldest_record_with_nothing_counted() -> None:
    lease = Lease("s")
    assert (lease.owner, lease.counter, lease.checkpoint, lease.sub_sequence) == (None, 0, "TRIM_HORIZON", 0)
    assert (lease.owner_switches, lease.deaths, lease.attempt_sequence, lease.attempts) == (0, 0, None, 0)
    assert to_item(lease) == LEAST_ROW


def test_a_full_lease_and_its_row() -> None:
    assert to_item(FULL) == FULL_ROW
    assert from_item(FULL_ROW) == FULL


def test_a_row_of_key_and_checkpoint_alone_is_a_lease() -> None:
    assert from_item({"leaseKey": {"S": "s"}, "checkpoint": {"S": "TRIM_HORIZON"}}) == Lease("s")


def test_sets_of_a_row_come_in_order() -> None:
    row = {**FULL_ROW, "parentShardId": {"SS": ["b", "a"]}, "childShardIds": {"SS": ["d", "c"]}}
    assert from_item(row) == FULL


@pytest.mark.parametrize("name", ["leaseKey", "checkpoint"])
def test_a_row_without_key_or_checkpoint_is_no_lease(name: str) -> None:
    assert from_item({key: value for key, value in FULL_ROW.items() if key != name}) is None


def test_a_mark_of_record_nought_is_a_mark() -> None:
    lease = Lease("s", attempt_sequence=0, attempts=1)
    assert from_item(to_item(lease)) == lease


def test_attributes_of_types_that_are_not_ours_read_as_absent() -> None:
    odd = {"leaseKey": {"S": "s"}, "checkpoint": {"S": "TRIM_HORIZON"}}
    null = {"NULL": True}
    names = ("leaseOwner", "leaseCounter", "parentShardId", "deaths", "attemptSequence")
    assert from_item({**odd, **dict.fromkeys(names, null)}) == Lease("s")


@pytest.mark.parametrize(
    ("checkpoint", "ended", "started"),
    [("TRIM_HORIZON", False, False), ("LATEST", False, False), ("12", False, True), (SHARD_END, True, True)],
)
def test_whether_a_lease_has_begun_and_ended(checkpoint: str, ended: bool, started: bool) -> None:
    lease = Lease("s", checkpoint=checkpoint)
    assert (lease.ended, lease.started) == (ended, started)


def test_a_lease_of_kcl_at_the_tip_begins_there() -> None:
    assert Lease("s", checkpoint="LATEST").position == Position("LATEST")


def test_one_record_into_an_aggregate_it_is_read_again() -> None:
    assert Lease("s", checkpoint="12", sub_sequence=1).position == Position("AT_SEQUENCE_NUMBER", 12)


def test_leases_can_be_kept_in_sets_and_never_change() -> None:
    assert len({Lease("s"), Lease("s"), FULL}) == 2
    with pytest.raises(AttributeError):
        FULL.owner = "thief"  # type: ignore[misc]


def test_a_lease_at_a_time_begins_there_and_without_one_at_the_oldest_record() -> None:
    assert Lease("s", checkpoint="AT_TIMESTAMP", timestamp_ms=5).position == Position.at_timestamp(5)
    assert Lease("s", checkpoint="AT_TIMESTAMP").position == Position.trim_horizon()
    assert not Lease("s", checkpoint="AT_TIMESTAMP", timestamp_ms=5).started


def test_what_an_operator_asks_is_in_the_row() -> None:
    asked = Lease("s", owner="w", rewind_to="7", release_asked_of="w")
    row = {**LEAST_ROW, "leaseOwner": {"S": "w"}, "rewindTo": {"S": "7"}, "releaseAskedOf": {"S": "w"}}
    assert to_item(asked) == row
    assert from_item(row) == asked


def test_a_row_of_kcl_is_a_lease_only_where_it_says_so_or_says_nothing() -> None:
    assert from_item({**FULL_ROW, "entityType": {"S": "LEASE"}}) == FULL
    assert from_item({**FULL_ROW, "entityType": {"S": "WORKER_METRIC_STATS"}}) is None
