"""What a watcher says of leases at the edges of time, and what it forgets."""

from __future__ import annotations

import pytest

from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_watch import LeaseWatch

FREE = Lease("s")


def held(counter: int, owner: str = "other") -> Lease:
    return Lease("s", owner=owner, counter=counter)


def watching(*looks: tuple[float, Lease | None], lease_time_s: float = 10) -> LeaseWatch:
    watch = LeaseWatch(lease_time_s)
    for at_s, lease in looks:
        watch.look({} if lease is None else {"s": lease}, at_s)
    return watch


def test_a_lease_that_was_never_seen_is_not_free() -> None:
    assert not watching().is_free(held(1), 1_000)
    assert not watching().is_unread(held(1), 1_000)


@pytest.mark.parametrize(("silent_s", "unread"), [(0, False), (4.9, False), (5, True), (12, True)])
def test_a_shard_counts_as_unread_after_half_the_lease_time_in_silence(silent_s: float, unread: bool) -> None:
    watch = watching((100, held(1)))
    assert watch.is_unread(held(1), 100 + silent_s) is unread


def test_a_shard_that_nobody_holds_is_unread_at_once() -> None:
    assert watching((100, FREE)).is_unread(FREE, 100)


def test_a_lease_that_left_the_table_is_forgotten() -> None:
    watch = watching((0, held(1)), (9, None), (9, held(1)))
    assert not watch.is_free(held(1), 18.9)
    assert watch.is_free(held(1), 19)


def test_waiting_begins_anew_after_a_lease_left_the_table() -> None:
    assert watching((0, FREE), (5, None), (6, FREE)).holding(FREE, 8).waited_s == 2


def test_leases_that_stay_are_kept_when_another_leaves() -> None:
    watch = LeaseWatch(10)
    watch.look({"s": held(1), "gone": Lease("gone")}, 0)
    watch.look({"s": held(1)}, 10)
    assert watch.is_free(held(1), 10)


def test_a_held_lease_has_waited_for_nothing() -> None:
    holding = watching((3, held(1))).holding(held(1), 7)
    assert (holding.shard_id, holding.owner, holding.available, holding.waited_s) == (
        "s",
        "other",
        False,
        0.0,
    )


def test_a_free_lease_that_was_not_looked_at_has_waited_for_nothing() -> None:
    assert watching().holding(FREE, 7).waited_s == 0.0


def test_a_counter_that_moves_without_its_owner_proves_no_life() -> None:
    watch = watching((0, held(1, "first")), (1, held(2, "second")))
    assert not watch.holding(held(2, "second"), 1).living
    assert not watching((0, FREE), (1, Lease("s", counter=1))).holding(held(2, ""), 1).living


def test_an_owner_that_lets_another_lease_expire_is_known_to_live_no_more() -> None:
    watch = LeaseWatch(10)
    other = Lease("t", owner="other")
    for at_s, counter in ((0, 1), (5, 2), (10, 2)):
        watch.look({"s": held(counter), "t": other}, at_s)
    assert not watch.holding(held(2), 10).living


def test_an_expired_lease_counts_its_waiting_from_when_it_was_seen_expired() -> None:
    watch = watching((0, held(1)), (10, held(1)), (13, held(1)))
    assert watch.holding(held(1), 13).waited_s == 3


def test_a_release_says_nothing_about_the_life_of_others() -> None:
    watch = LeaseWatch(10)
    for at_s, counter in ((0, 1), (5, 2)):
        watch.look({"s": held(counter), "t": Lease("t")}, at_s)
    assert watch.holding(held(2), 5).living
