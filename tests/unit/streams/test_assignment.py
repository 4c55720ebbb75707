"""Workers that choose by the same rule end balanced within one, with nothing left over."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.assignment import Holding, choose

PATIENCE_S = 20.0


def settle(
    workers: list[str], owners: dict[str, str | None], caps: dict[str, int], seed: int
) -> dict[str, str | None]:
    """Let every worker choose in turn until none takes any; free leases have waited for ever in the later rounds."""
    rng = random.Random(seed)
    for round_number in range(80):
        waited_s = 0.0 if round_number < 5 else PATIENCE_S
        before = dict(owners)
        for worker in rng.sample(workers, len(workers)):
            holdings = [
                Holding(shard, owner, owner is None, waited_s if owner is None else 0.0)
                for shard, owner in owners.items()
            ]
            for shard in choose(worker, holdings, caps[worker], 2, PATIENCE_S, rng, 1.0):
                owners[shard] = worker
        if waited_s and owners == before:
            break
    return owners


@given(
    shards=st.integers(1, 40),
    workers=st.integers(1, 8),
    data=st.data(),
    seed=st.integers(0, 2**32),
)
def test_every_lease_is_held_and_the_balance_is_within_one(
    shards: int, workers: int, data: st.DataObject, seed: int
) -> None:
    names = [f"w{n}" for n in range(workers)]
    start = data.draw(st.lists(st.sampled_from([None, *names]), min_size=shards, max_size=shards))
    owners = settle(names, {f"s{n}": owner for n, owner in enumerate(start)}, dict.fromkeys(names, 100), seed)
    counts = Counter(owners.values())
    assert None not in counts
    assert max(counts.values()) - min(counts[name] for name in names) <= 1


@given(shards=st.integers(2, 40), seed=st.integers(0, 2**32))
def test_what_capped_workers_leave_the_others_take(shards: int, seed: int) -> None:
    names = ["capped", "free"]
    owners = settle(names, {f"s{n}": None for n in range(shards)}, {"capped": 1, "free": 100}, seed)
    counts = Counter(owners.values())
    assert counts["capped"] == 1
    assert counts["free"] == shards - 1


def test_a_worker_takes_no_more_than_its_share_while_others_may_come() -> None:
    holdings = [Holding("s0", "other", False)] + [Holding(f"s{n}", None, True) for n in range(1, 6)]
    assert len(choose("me", holdings, 100, 2, PATIENCE_S, random.Random(1), 1.0)) == 3


def test_at_most_so_many_are_stolen_in_a_round() -> None:
    holdings = [Holding(f"s{n}", "other", False) for n in range(10)]
    assert len(choose("me", holdings, 100, 2, PATIENCE_S, random.Random(1), 1.0)) == 2
    assert len(choose("me", holdings, 1, 2, PATIENCE_S, random.Random(1), 1.0)) == 1


def test_nothing_is_stolen_from_an_owner_that_was_not_seen_alive() -> None:
    holdings = [Holding(f"s{n}", "other", False, living=False) for n in range(10)]
    assert choose("me", holdings, 100, 2, PATIENCE_S, random.Random(1), 1.0) == []


def test_nothing_is_stolen_for_a_difference_of_one() -> None:
    holdings = [Holding("s0", "other", False), Holding("s1", "other", False), Holding("s2", "me", False)]
    assert choose("me", holdings, 100, 2, PATIENCE_S, random.Random(1), 1.0) == []
