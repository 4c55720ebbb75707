"""Which leases a stream needs, and when a child may be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.streams.lease import SHARD_END, Lease
from services.kernel.streams.records import Shard
from services.kernel.streams.shard_graph import missing_leases, readiness, removable, waits_for_parents

A, B = Shard("a"), Shard("b")
SPLIT = Shard("c", parents=("a",))
MERGED = Shard("m", parents=("a", "b"))


def table(*leases: Lease) -> dict[str, Lease]:
    return {lease.shard_id: lease for lease in leases}


def ended(shard_id: str) -> Lease:
    return Lease(shard_id, checkpoint=SHARD_END)


def test_leases_are_made_parents_first_whatever_the_listing_order() -> None:
    grandchild = Shard("g", parents=("m",))
    made = [lease.shard_id for lease in missing_leases([grandchild, MERGED, B, A], {})]
    assert made.index("m") > max(made.index("a"), made.index("b"))
    assert made.index("g") > made.index("m")


def test_a_lease_remembers_both_parents_and_its_hash_range() -> None:
    shard = replace(MERGED, starting_hash_key="5", ending_hash_key="9")
    [lease] = missing_leases([shard], {})
    assert lease.parents == ("a", "b")
    assert (lease.starting_hash_key, lease.ending_hash_key) == ("5", "9")


def test_an_interrupted_bootstrap_goes_on_where_it_stopped() -> None:
    everything = [A, B, MERGED]
    first = missing_leases(everything, {})
    for made in range(len(first) + 1):
        rest = missing_leases(everything, table(*first[:made]))
        assert [lease.shard_id for lease in first[:made] + rest] == [lease.shard_id for lease in first]


def test_a_parent_whose_lease_was_removed_is_not_made_again() -> None:
    assert missing_leases([A, SPLIT], table(Lease("c", checkpoint="7", parents=("a",)))) == []


@pytest.mark.parametrize(
    ("parents", "startable"),
    [
        ((ended("a"), ended("b")), True),
        ((ended("a"), Lease("b", checkpoint="7")), False),
        ((Lease("a"), ended("b")), False),
    ],
)
def test_a_merged_child_waits_for_both_parents(parents: tuple[Lease, ...], startable: bool) -> None:
    child = Lease("m", parents=("a", "b"))
    found = readiness(child, table(child, *parents), ["a", "b", "m"])
    assert found.startable is startable
    assert found.lost == ()


def test_a_child_waits_for_a_listed_parent_that_has_no_lease_yet() -> None:
    child = Lease("c", parents=("a",))
    assert not readiness(child, table(child), ["a", "c"]).startable


def test_a_child_of_parents_trimmed_before_the_application_began_starts() -> None:
    child = Lease("c", parents=("a",))
    assert readiness(child, table(child), ["c"]).startable


def test_an_expired_parent_that_never_ended_is_a_possible_loss_and_holds_its_child() -> None:
    child = Lease("c", parents=("a",))
    found = readiness(child, table(child, Lease("a", checkpoint="7")), ["c"])
    assert not found.startable
    assert found.lost == ("a",)


def test_a_lease_whose_shard_is_gone_is_a_possible_loss() -> None:
    lease = Lease("a", checkpoint="7")
    assert readiness(lease, table(lease), ["b"]).lost == ("a",)


def test_a_shard_that_was_begun_goes_on_whatever_its_parents_say() -> None:
    child = Lease("c", checkpoint="7", parents=("a",))
    assert readiness(child, table(child), ["a", "c"]).startable


def test_an_ended_shard_is_not_read() -> None:
    assert not readiness(ended("a"), table(ended("a")), ["a"]).startable


def test_a_lease_is_forgotten_once_its_shard_is_gone_and_its_children_began() -> None:
    waiting = table(ended("a"), Lease("c", parents=("a",)))
    begun = table(ended("a"), Lease("c", checkpoint="9", parents=("a",)))
    assert removable(waiting, ["c"]) == []
    assert [lease.shard_id for lease in removable(begun, ["c"])] == ["a"]
    assert removable(begun, ["a", "c"]) == []


@pytest.mark.parametrize("request_", ["AT_TIMESTAMP:5", "TRIM_HORIZON"])
def test_a_begun_child_that_is_asked_to_begin_anew_waits_for_its_parent_too(request_: str) -> None:
    child = Lease("c", owner="gone", checkpoint="7", parents=("a",), rewind_to=request_)
    again = Lease("a", checkpoint="AT_TIMESTAMP", timestamp_ms=5)
    assert not readiness(child, table(child, again), ["a", "c"]).startable
    assert readiness(child, table(child, ended("a")), ["a", "c"]).startable


def test_a_child_that_is_asked_to_go_behind_a_number_goes_on() -> None:
    child = Lease("c", checkpoint="7", parents=("a",), rewind_to="5")
    assert readiness(child, table(child, Lease("a", checkpoint="1")), ["a", "c"]).startable


def test_only_a_child_that_begins_anew_waits_for_parents() -> None:
    assert waits_for_parents(Lease("c", parents=("a",)))
    assert not waits_for_parents(Lease("a"))
    assert not waits_for_parents(Lease("c", checkpoint="7", parents=("a",)))
