"""Single choices of a worker, at the edges of balance, cap, patience and its variant's share."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from services.kernel.streams.assignment import Holding, choose, surplus

PATIENCE_S = 20.0


def held(count: int, owner: str, living: bool = True) -> list[Holding]:
    return [Holding(f"{owner}-{n}", owner, False, living=living) for n in range(count)]


def free(count: int, waited_s: float = 0.0, owner: str | None = None) -> list[Holding]:
    return [Holding(f"free-{n}", owner, True, waited_s) for n in range(count)]


def chosen(holdings: list[Holding], cap: int = 100, steals: int = 2, seed: int = 1) -> list[str]:
    return choose("me", holdings, cap, steals, PATIENCE_S, random.Random(seed), 1.0)


def of_share(worker: str, holdings: list[Holding], share: float, steals: int = 9, seed: int = 1) -> list[str]:
    return choose(worker, holdings, 100, steals, PATIENCE_S, random.Random(seed), share)


def robbed(shards: list[str]) -> Counter[str]:
    """How many of these leases each owner loses."""
    return Counter(shard.rpartition("-")[0] for shard in shards)


def test_a_worker_alone_takes_everything() -> None:
    assert sorted(chosen(free(5))) == [f"free-{n}" for n in range(5)]


def test_a_holding_is_taken_for_alive_and_fresh_unless_told() -> None:
    plain = Holding("s", None, True)
    assert (plain.waited_s, plain.living) == (0.0, True)


@pytest.mark.parametrize(("mine", "others", "unheld", "expected"), [(1, 3, 3, 3), (3, 3, 1, 1), (4, 3, 1, 0)])
def test_the_share_counts_what_is_held_already(mine: int, others: int, unheld: int, expected: int) -> None:
    assert len(chosen(held(mine, "me") + held(others, "other") + free(unheld))) == expected


def test_an_odd_lease_may_go_to_either() -> None:
    assert len(chosen(held(2, "me") + held(2, "other") + free(1))) == 1


def test_owners_that_let_their_leases_expire_take_no_share() -> None:
    assert len(chosen(free(4, owner="dead"))) == 4


def test_what_waited_for_the_patience_is_taken_beyond_the_share_and_first() -> None:
    holdings = held(4, "me") + held(1, "other") + free(2, PATIENCE_S)
    assert sorted(chosen(holdings)) == ["free-0", "free-1"]
    assert chosen(held(4, "me") + held(1, "other") + free(2, PATIENCE_S - 0.1)) == []


@pytest.mark.parametrize("seed", range(20))
def test_under_a_cap_the_longest_waiting_goes_first(seed: int) -> None:
    waiting = Holding("old", None, True, PATIENCE_S)
    assert chosen([*free(6), waiting], cap=1, seed=seed) == ["old"]


@pytest.mark.parametrize(("cap", "expected"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2)])
def test_the_cap_counts_what_is_held_already(cap: int, expected: int) -> None:
    assert len(chosen(held(2, "me") + free(2), cap=cap)) == expected
    assert len(chosen(held(2, "me") + held(6, "other"), cap=cap)) == expected


def test_workers_that_look_together_want_different_leases() -> None:
    first = {
        choose("me", free(20) + held(1, "other"), 1, 2, PATIENCE_S, random.Random(n), 1.0)[0]
        for n in range(20)
    }
    assert len(first) > 5


def test_while_something_is_free_nothing_is_stolen() -> None:
    assert chosen(held(10, "other") + free(1)) == ["free-0"]
    assert chosen(held(3, "me") + held(10, "other") + free(1), cap=3) == []


@pytest.mark.parametrize("seed", range(10))
def test_the_fullest_is_robbed_first_and_only_down_to_balance(seed: int) -> None:
    holdings = held(4, "big") + held(3, "mid") + held(1, "me")
    assert chosen(holdings, steals=1, seed=seed)[0].startswith("big")
    taken = chosen(holdings, steals=9, seed=seed)
    # One from `big` makes 3, 3, 2: within one.
    assert len(taken) == 1
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("seed", range(10))
def test_several_steals_of_one_round_take_different_leases_of_the_then_fullest(seed: int) -> None:
    taken = chosen(held(6, "a") + held(6, "b"), steals=4, seed=seed)
    assert len(set(taken)) == 4
    assert Counter(shard.partition("-")[0] for shard in taken) == {"a": 2, "b": 2}


def test_a_difference_of_two_is_enough_to_steal() -> None:
    assert len(chosen(held(2, "other"))) == 1
    assert len(chosen(held(3, "other") + held(1, "me"))) == 1


def test_equally_full_owners_are_robbed_in_an_order_that_all_workers_share() -> None:
    for holdings in (held(4, "a") + held(4, "b"), held(4, "b") + held(4, "a")):
        assert chosen(holdings, steals=1)[0].startswith("b")


def test_one_living_owner_is_robbed_where_another_is_silent() -> None:
    taken = chosen(held(5, "silent", living=False) + held(4, "alive"), steals=9)
    assert {shard.partition("-")[0] for shard in taken} == {"alive"}
    assert len(taken) == 2


def test_what_a_canary_holds_is_not_the_stable_workers_to_share() -> None:
    # Six of ten are left to two workers: three each.
    assert len(chosen(held(4, "canary:c") + held(2, "other") + free(4))) == 3


def test_the_stable_variant_does_not_rob_a_canary() -> None:
    assert chosen(held(5, "canary:c") + held(2, "other") + held(1, "me")) == []


def test_a_variant_with_a_name_and_the_whole_share_comes_to_hold_everything() -> None:
    assert len(of_share("blue:me", held(3, "old"), 1.0)) == 3
    assert len(of_share("blue:me", held(1, "old") + free(2, PATIENCE_S), 1.0)) == 2


@pytest.mark.parametrize(("mine", "expected"), [(0, 2), (1, 1), (2, 0)])
def test_a_stable_variant_with_a_share_of_its_own_keeps_to_it(mine: int, expected: int) -> None:
    others = held(10 - mine, "canary:c")
    assert len(of_share("me", held(mine, "me") + others, 0.2)) == expected


def test_a_canary_robs_other_variants_only_of_what_it_lacks() -> None:
    """Five of ten are the canaries' share, three of them at most this one's."""
    holdings = held(2, "canary:me") + held(1, "canary:peer") + held(7, "old")
    assert len(of_share("canary:me", holdings, 0.5)) == 1
    assert len(of_share("canary:peer", holdings, 0.5)) == 2


@pytest.mark.parametrize("seed", range(10))
def test_a_canary_robs_whoever_is_fullest_at_each_step_of_different_leases(seed: int) -> None:
    taken = of_share("canary:me", held(4, "a") + held(2, "b"), 0.5, seed=seed)
    assert robbed(taken) == {"a": 2, "b": 1}
    assert len(set(taken)) == 3
    assert robbed(of_share("canary:me", held(5, "a") + held(1, "b"), 0.5, seed=seed)) == {"a": 3}


def test_a_canary_leaves_an_owner_alone_that_was_not_seen_alive() -> None:
    taken = of_share("canary:me", held(8, "silent", living=False) + held(2, "alive"), 0.5)
    assert robbed(taken) == {"alive": 2}


def test_a_variant_at_its_share_hands_nothing_back() -> None:
    assert surplus("canary:me", held(2, "canary:me") + held(2, "old"), 0.5) == []


def test_the_fullest_worker_of_a_variant_above_its_share_hands_back_one_lease() -> None:
    holdings = held(3, "canary:full") + held(1, "canary:other") + held(2, "old")
    assert surplus("canary:full", holdings, 0.5) == ["canary:full-2"]
    assert surplus("canary:other", holdings, 0.5) == []
    assert surplus("canary:idle", holdings, 0.5) == []


def test_it_names_the_same_lease_again_until_it_is_handed_back() -> None:
    holdings = held(3, "canary:me") + held(1, "old")
    assert surplus("canary:me", holdings, 0.5) == surplus("canary:me", holdings[::-1], 0.5)


def test_of_equally_full_workers_one_hands_back() -> None:
    holdings = held(2, "canary:a") + held(2, "canary:b") + held(2, "old")
    assert [len(surplus(worker, holdings, 0.5)) for worker in ("canary:a", "canary:b")] == [0, 1]
