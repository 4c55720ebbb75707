"""The edges of the shard graph: several generations, several parents, shards that are gone."""

from __future__ import annotations

import pytest

from services.kernel.streams.lease import SHARD_END, Lease
from services.kernel.streams.records import Shard
from services.kernel.streams.shard_graph import Readiness, missing_leases, readiness, removable


def table(*leases: Lease) -> dict[str, Lease]:
    return {lease.shard_id: lease for lease in leases}


def ids(leases: list[Lease]) -> list[str]:
    return [lease.shard_id for lease in leases]


def test_ancestors_of_several_generations_are_not_made_again() -> None:
    listed = [Shard("a"), Shard("b", ("a",)), Shard("c", ("b",)), Shard("other")]
    assert ids(missing_leases(listed, table(Lease("c", parents=("b",))))) == ["other"]


def test_ancestors_are_followed_through_leases_of_shards_that_are_gone() -> None:
    known = table(Lease("c", parents=("b",)), Lease("b", parents=("a",), checkpoint=SHARD_END))
    assert missing_leases([Shard("a"), Shard("c", ("b",))], known) == []


def test_a_lease_whose_shard_is_gone_does_not_hide_the_rest() -> None:
    assert ids(missing_leases([Shard("n")], table(Lease("old", parents=("older",))))) == ["n"]


def test_parents_of_a_merge_are_kept_in_order() -> None:
    [lease] = missing_leases([Shard("m", ("b", "a"))], {})
    assert lease.parents == ("a", "b")


def test_shards_that_name_each_other_as_parents_hang_nobody() -> None:
    assert sorted(ids(missing_leases([Shard("a", ("b",)), Shard("b", ("a",))], {}))) == ["a", "b"]


def test_shards_without_order_between_them_keep_the_listing_order() -> None:
    assert ids(missing_leases([Shard("b"), Shard("a"), Shard("c")], {})) == ["b", "a", "c"]


def test_a_shard_without_parents_may_be_read() -> None:
    assert readiness(Lease("a"), table(Lease("a")), ["a"]) == Readiness(True)


def test_an_ended_shard_that_is_gone_is_no_loss() -> None:
    ended = Lease("a", checkpoint=SHARD_END)
    assert readiness(ended, table(ended), ["b"]) == Readiness(False)


def test_a_gone_shard_is_not_read() -> None:
    lease = Lease("a", checkpoint="7")
    assert readiness(lease, table(lease), ["b"]) == Readiness(False, ("a",))


def test_of_two_parents_only_the_one_that_is_gone_is_lost() -> None:
    child = Lease("m", parents=("a", "b"))
    both = table(child, Lease("a", checkpoint="3"), Lease("b", checkpoint="3"))
    assert readiness(child, both, ["b", "m"]) == Readiness(False, ("a",))


def test_of_two_parents_one_trimmed_before_and_one_at_its_end_let_the_child_start() -> None:
    child = Lease("m", parents=("a", "b"))
    assert readiness(child, table(child, Lease("b", checkpoint=SHARD_END)), ["b", "m"]).startable


@pytest.mark.parametrize("checkpoint", ["7", "TRIM_HORIZON"])
def test_a_shard_that_was_not_read_to_its_end_is_never_forgotten(checkpoint: str) -> None:
    assert removable(table(Lease("a", checkpoint=checkpoint)), ["b"]) == []


def test_a_lease_that_another_child_still_waits_for_is_kept() -> None:
    begun, waiting = Lease("c", checkpoint="9", parents=("a",)), Lease("d", parents=("a",))
    leases = table(Lease("a", checkpoint=SHARD_END), begun, waiting)
    assert removable(leases, ["c", "d"]) == []


def test_an_end_that_an_operator_wants_reopened_holds_the_child() -> None:
    child, parent = Lease("c", parents=("a",)), Lease("a", checkpoint=SHARD_END, rewind_to="3")
    assert readiness(child, table(child, parent), ["a", "c"]) == Readiness(False)
    # A shard that is gone cannot be read again: its end stands.
    assert readiness(child, table(child, parent), ["c"]) == Readiness(True)
