"""A canary holds its share and no more, the stable variant the rest, balanced within each; nothing is left over."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.streams.assignment import Holding, choose, most_leases, owner_id, surplus, variant_of

PATIENCE_S = 20.0


def settle(owners: dict[str, str | None], shares: dict[str, float], seed: int) -> Counter[str | None]:
    """Let every worker hand back and choose in turn until nothing changes; returns how many leases each holds."""
    rng = random.Random(seed)
    for round_number in range(50):
        waited_s = 0.0 if round_number < 5 else PATIENCE_S
        before = dict(owners)
        for worker in rng.sample(sorted(shares), len(shares)):
            for shard in surplus(worker, _holdings(owners, waited_s), shares[worker]):
                owners[shard] = None
            holdings = _holdings(owners, waited_s)
            for shard in choose(worker, holdings, 100, 2, PATIENCE_S, rng, shares[worker]):
                owners[shard] = worker
        if waited_s and owners == before:
            break
    return Counter(owners.values())


def _holdings(owners: dict[str, str | None], waited_s: float) -> list[Holding]:
    return [
        Holding(shard, owner, owner is None, waited_s if owner is None else 0.0)
        for shard, owner in owners.items()
    ]


def within_one(counts: Counter[str | None], workers: list[str]) -> bool:
    return max(counts[w] for w in workers) - min(counts[w] for w in workers) <= 1


@settings(max_examples=40)
@given(
    shards=st.integers(2, 40),
    stable=st.integers(1, 5),
    canaries=st.integers(1, 4),
    share=st.sampled_from([0.001, 0.05, 0.1, 0.25, 0.5]),
    data=st.data(),
    seed=st.integers(0, 2**32),
)
def test_a_canary_holds_its_share_and_the_stable_variant_the_rest(
    shards: int, stable: int, canaries: int, share: float, data: st.DataObject, seed: int
) -> None:
    old = [f"w{n}" for n in range(stable)]
    new = [owner_id("canary", f"w{n}") for n in range(canaries)]
    start = data.draw(st.lists(st.sampled_from([None, *old, *new]), min_size=shards, max_size=shards))
    owners = {f"s{n:02}": owner for n, owner in enumerate(start)}
    counts = settle(owners, {**dict.fromkeys(old, 1.0), **dict.fromkeys(new, share)}, seed)
    assert counts[None] == 0
    assert sum(counts[worker] for worker in new) == most_leases(shards, share)
    assert within_one(counts, old)
    assert within_one(counts, new)


@settings(max_examples=40)
@given(shards=st.integers(2, 40), share=st.sampled_from([0.1, 0.5]), seed=st.integers(0, 2**32))
def test_what_a_canary_leaves_behind_is_taken(shards: int, share: float, seed: int) -> None:
    owners: dict[str, str | None] = dict.fromkeys((f"s{n:02}" for n in range(shards)), None)
    settle(owners, {"w0": 1.0, "w1": 1.0, "canary:w2": share}, seed)
    handed_back = {shard: None if owner == "canary:w2" else owner for shard, owner in owners.items()}
    counts = settle(handed_back, {"w0": 1.0, "w1": 1.0}, seed)
    assert counts["w0"] + counts["w1"] == shards
    assert within_one(counts, ["w0", "w1"])


@settings(max_examples=40)
@given(shards=st.integers(1, 40), share=st.sampled_from([0.1, 0.5]), seed=st.integers(0, 2**32))
def test_a_canary_alone_does_not_take_more_than_its_share(shards: int, share: float, seed: int) -> None:
    owners: dict[str, str | None] = dict.fromkeys((f"s{n:02}" for n in range(shards)), None)
    counts = settle(owners, {"canary:w0": share, "canary:w1": share}, seed)
    assert counts["canary:w0"] + counts["canary:w1"] == most_leases(shards, share)


@pytest.mark.parametrize(
    ("leases", "share", "most"),
    [(16, 0.1, 1), (20, 0.1, 2), (10, 0.3, 3), (3, 0.1, 1), (7, 1.0, 7), (100, 0.29, 29)],
)
def test_a_share_is_rounded_down_to_at_least_one(leases: int, share: float, most: int) -> None:
    assert most_leases(leases, share) == most


@pytest.mark.parametrize(
    ("owner", "variant"),
    [
        ("canary:host-1", "canary"),
        ("host-1-0a1b2c", "stable"),
        ("110eb08e-0b6a-457b-9e38-43cd14231f04", "stable"),
        ("ip-10-0-0-1.ec2.internal:110eb08e-0b6a-457b-9e38-43cd14231f04", "stable"),
    ],
)
def test_owners_without_a_prefix_are_stable(owner: str, variant: str) -> None:
    assert variant_of(owner) == variant


def test_the_id_of_an_owner_carries_its_variant() -> None:
    assert variant_of(owner_id("canary", "w")) == "canary"
    assert owner_id("stable", "w") == "w"
