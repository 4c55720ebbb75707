"""Which leases a worker takes, so that all are held and the workers hold equally many. Pure."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

STABLE = "stable"
"""The variant of owners whose id names none, such as those of KCL."""
_VARIANT = re.compile(r"([a-z][a-z0-9_]{0,15}):")


@dataclass(frozen=True, slots=True)
class Holding:
    """One lease that may be read, as a worker sees it.

    Args:
        owner: who holds it by the table.
        available: nobody does, or its owner has not written for the lease time.
        waited_s: how long it has been available, seconds; 0 when it is not.
        living: whether this worker has seen the owner write since it began to look.
    """

    shard_id: str
    owner: str | None
    available: bool
    waited_s: float = 0.0
    living: bool = True


def owner_id(variant: str, worker: str) -> str:
    """The id under which a worker owns leases: it carries the worker's variant, unless that is the stable one."""
    return worker if variant == STABLE else f"{variant}:{worker}"


def variant_of(owner: str) -> str:
    """The variant of an owner."""
    found = _VARIANT.match(owner)
    return found[1] if found else STABLE


def most_leases(leases: int, share: float) -> int:
    """How many leases a variant holds at most: its share, rounded down, at least one."""
    # By the decimal of the setting: as a binary fraction, 0.29 of 100 would be 28.
    return max(1, int(leases * Decimal(str(share))))


def choose(
    worker_id: str,
    holdings: Sequence[Holding],
    max_leases: int,
    max_steals: int,
    patience_s: float,
    rng: random.Random,
    share: float,
) -> list[str]:
    """Choose the leases to take in this round.

    A worker takes what is free up to its equal share of what its variant has. What nobody took for `patience_s` it
    takes beyond that, since the others may be capped. With nothing free it steals from the fullest worker of its
    variant while that one holds at least two more, which ends in a balance within one; only from an owner that it
    has seen alive, since a lease of the dead expires soon, and expiry is what tells the next owner of a death. A
    variant with a share of its own never holds more than it, and steals from the other variants up to it.

    Args:
        max_leases: this worker's cap.
        max_steals: how many to steal in one round.
        patience_s: seconds that a lease may stay free before the equal share no longer counts.
        share: of all leases, what this worker's variant may hold, above 0; 1 for the variant that takes the rest.

    Returns:
        Shard ids, in the order to take them.
    """
    sight = _Sight(worker_id, holdings, share)
    room = max(0, min(max_leases - sight.mine, sight.cap - sight.together))
    free = [h for h in holdings if h.available]
    rng.shuffle(free)  # workers that look at the same moment should not all want the same lease
    free.sort(key=lambda h: h.waited_s < patience_s)
    taken = [
        h.shard_id
        for place, h in enumerate(free)
        if sight.mine + place < sight.equal_share or h.waited_s >= patience_s
    ]
    if free:
        return taken[:room]
    stolen = _steal(sight, holdings, min(max_steals, max_leases - sight.mine), rng)
    if stolen or sight.takes_the_rest:
        return stolen
    return _steal_from_others(sight, holdings, min(max_steals, room), rng)


def surplus(worker_id: str, holdings: Sequence[Holding], share: float) -> list[str]:
    """The lease to hand back because the variant holds more than its share; at most one, of its fullest worker."""
    sight = _Sight(worker_id, holdings, share)
    if sight.together <= sight.cap:
        return []
    fullest = max(sight.peers, key=lambda owner: (sight.held[owner], owner))
    if fullest != worker_id:
        return []
    # The same one in every round until it is handed back, or the next round would stop a second.
    return [max(h.shard_id for h in holdings if h.owner == worker_id and not h.available)]


class _Sight:
    """The holdings as one worker counts them."""

    def __init__(self, worker_id: str, holdings: Sequence[Holding], share: float) -> None:
        variant = variant_of(worker_id)
        self.worker_id = worker_id
        self.held = Counter(h.owner for h in holdings if h.owner is not None and not h.available)
        self.peers = {owner for owner in self.held if variant_of(owner) == variant} | {worker_id}
        self.mine = self.held[worker_id]
        self.together = sum(self.held[owner] for owner in self.peers)
        self.cap = most_leases(len(holdings), share)
        self.takes_the_rest = variant == STABLE and share >= 1
        # Whoever takes the rest leaves the other variants what they hold; who has a share may come to hold all of it.
        others = sum(self.held.values()) - self.together
        wanted = len(holdings) - others if self.takes_the_rest else self.cap
        self.equal_share = -(-wanted // len(self.peers))


def _steal(sight: _Sight, holdings: Sequence[Holding], limit: int, rng: random.Random) -> list[str]:
    living = {h.owner for h in holdings if h.living}
    counts = {o: sight.held[o] for o in sight.peers if o != sight.worker_id and o in living}
    mine = sight.mine
    stolen: list[str] = []
    while counts and len(stolen) < limit:
        fullest, most = max(counts.items(), key=lambda entry: (entry[1], entry[0]))
        if most - mine < 2:
            break
        stolen.append(
            rng.choice([h.shard_id for h in holdings if h.owner == fullest and h.shard_id not in stolen])
        )
        counts[fullest] -= 1
        mine += 1
    return stolen


def _steal_from_others(
    sight: _Sight, holdings: Sequence[Holding], limit: int, rng: random.Random
) -> list[str]:
    """Take what is missing to the variant's share from the fullest workers of the other variants."""
    living = {h.owner for h in holdings if h.living}
    counts = {o: n for o, n in sight.held.items() if o not in sight.peers and o in living}
    stolen: list[str] = []
    while any(counts.values()) and len(stolen) < limit and sight.mine + len(stolen) < sight.equal_share:
        fullest = max(counts, key=lambda owner: (counts[owner], owner))
        stolen.append(
            rng.choice([h.shard_id for h in holdings if h.owner == fullest and h.shard_id not in stolen])
        )
        counts[fullest] -= 1
    return stolen
