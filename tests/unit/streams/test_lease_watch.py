"""A lease expires only where the watcher itself saw it stand still."""

from __future__ import annotations

from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_watch import LeaseWatch


def at(counter: int, owner: str | None = "other") -> dict[str, Lease]:
    return {"s": Lease("s", owner=owner, counter=counter)}


def test_a_counter_that_moves_keeps_its_lease() -> None:
    watch = LeaseWatch(10)
    for second in range(100):
        watch.look(at(second // 9), float(second))
        assert not watch.is_free(at(second // 9)["s"], float(second))


def test_a_counter_that_stands_still_for_the_lease_time_does_not() -> None:
    watch = LeaseWatch(10)
    watch.look(at(5), 0)
    watch.look(at(5), 9.9)
    assert not watch.is_free(at(5)["s"], 9.9)
    watch.look(at(5), 10)
    assert watch.is_free(at(5)["s"], 10)


def test_a_new_watcher_waits_the_whole_lease_time() -> None:
    watch = LeaseWatch(10)
    watch.look(at(5), 1_000_000)
    assert not watch.is_free(at(5)["s"], 1_000_009)


def test_a_released_lease_is_free_at_once_and_its_waiting_is_measured() -> None:
    watch = LeaseWatch(10)
    watch.look(at(5, owner=None), 3)
    watch.look(at(5, owner=None), 8)
    holding = watch.holding(at(5, owner=None)["s"], 8)
    assert holding.available
    assert holding.waited_s == 5


def test_waiting_begins_anew_after_somebody_held_it() -> None:
    watch = LeaseWatch(10)
    watch.look(at(5, owner=None), 0)
    watch.look(at(6), 1)
    watch.look(at(7, owner=None), 2)
    assert watch.holding(at(7, owner=None)["s"], 4).waited_s == 2


def test_an_owner_is_known_to_live_once_it_was_seen_to_write() -> None:
    watch = LeaseWatch(10)
    watch.look(at(5), 0)
    assert not watch.holding(at(5)["s"], 0).living
    watch.look(at(6), 1)
    assert watch.holding(at(6)["s"], 1).living
    watch.look(at(6), 11)
    assert not watch.holding(at(6)["s"], 11).living
