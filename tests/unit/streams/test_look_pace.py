"""When a worker looks at the lease table: soon after a release, just at an expiry, seldom where a look is dear."""

from __future__ import annotations

import pytest

from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_watch import LeaseWatch
from services.kernel.streams.look_pace import look_s, pause_s

LEASE_TIME_S = 10.0


@pytest.mark.parametrize(
    ("leases", "expected_s"), [(0, 0.5), (4, 0.5), (100, 0.5), (150, 0.75), (200, 1.0), (5_000, 1.0)]
)
def test_a_small_table_is_looked_at_twice_a_second_and_a_large_one_once(
    leases: int, expected_s: float
) -> None:
    assert look_s(leases, LEASE_TIME_S) == pytest.approx(expected_s)


def test_a_short_lease_time_has_four_looks_in_it() -> None:
    assert look_s(4, 1.0) == 0.25
    assert look_s(5_000, 1.0) == 0.25


@pytest.mark.parametrize(
    ("took_s", "expected_s"), [(0.0, 0.4), (0.1, 0.3), (0.3, 0.1), (0.4, 0.1), (9.0, 0.1)]
)
def test_what_a_look_took_is_no_delay_but_a_slow_table_is_left_alone(
    took_s: float, expected_s: float
) -> None:
    assert pause_s(0.4, took_s, None) == pytest.approx(expected_s)


def test_the_next_look_comes_when_a_lease_may_have_expired() -> None:
    assert pause_s(0.5, 0.0, 0.2) == pytest.approx(0.21)
    assert pause_s(0.5, 0.0, 3.0) == 0.5


def seen(*looks: tuple[float, dict[str, Lease]]) -> LeaseWatch:
    watch = LeaseWatch(LEASE_TIME_S)
    for at_s, leases in looks:
        watch.look(leases, at_s)
    return watch


def held(shard_id: str, counter: int) -> dict[str, Lease]:
    return {shard_id: Lease(shard_id, owner="other", counter=counter)}


def test_the_lease_that_was_silent_longest_expires_first() -> None:
    watch = seen((0, held("s", 1) | held("t", 1)), (4, held("s", 2) | held("t", 1)))
    assert watch.to_expiry_s(4) == 6
    assert watch.to_expiry_s(9.5) == 0.5


def test_the_leases_of_the_last_look_are_counted() -> None:
    assert seen().leases == 0
    assert seen((0, held("s", 1) | held("t", 1))).leases == 2
    assert seen((0, held("s", 1) | held("t", 1)), (1, held("t", 1))).leases == 1


def test_what_has_expired_or_is_free_is_not_waited_for() -> None:
    assert seen((0, held("s", 1))).to_expiry_s(10) is None
    assert seen((0, {"s": Lease("s")})).to_expiry_s(1) is None
    assert seen().to_expiry_s(1) is None


def test_a_take_over_waits_for_one_look_and_the_lease_time_and_no_further_look() -> None:
    """The owner writes for the last time just after a look: the worst moment."""
    watch, now_s, counter, looks = LeaseWatch(LEASE_TIME_S), 0.0, 1, 0
    watch.look(held("s", counter), now_s)
    died_s = now_s + 0.001
    while True:
        now_s += pause_s(look_s(1, LEASE_TIME_S), 0.0, watch.to_expiry_s(now_s))
        leases = held("s", counter + 1)
        watch.look(leases, now_s)
        looks += 1
        if watch.is_free(leases["s"], now_s):
            break
    assert LEASE_TIME_S <= now_s - died_s <= LEASE_TIME_S + 0.52
    assert looks <= 22
