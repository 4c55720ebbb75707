"""Which leases a worker takes, so that all are held and the workers hold equally many. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


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


def choose(
    worker_id: str,
    holdings: Sequence[Holding],
    max_leases: int,
    max_steals: int,
    patience_s: float,
    rng: random.Random,
) -> list[str]:
    """Choose the leases to take in this round.

    A worker takes what is free up to its equal share. What nobody took for `patience_s` it takes beyond its share,
    since the others may be capped. With nothing free it steals from the fullest worker while that one holds at
    least two more, which ends in a balance within one; only from an owner that it has seen alive, since a lease
    of the dead expires soon, and expiry is what tells the next owner of a death.

    Args:
        max_leases: this worker's cap.
        max_steals: how many to steal in one round.
        patience_s: seconds that a lease may stay free before the equal share no longer counts.

    Returns:
        Shard ids, in the order to take them.
    """
    held = Counter(h.owner for h in holdings if h.owner is not None and not h.available)
    mine = held[worker_id]
    workers = len(held.keys() | {worker_id})
    share = -(-len(holdings) // workers)
    free = [h for h in holdings if h.available]
    rng.shuffle(free)  # workers that look at the same moment should not all want the same lease
    free.sort(key=lambda h: h.waited_s < patience_s)
    taken = [h.shard_id for place, h in enumerate(free) if mine + place < share or h.waited_s >= patience_s]
    taken = taken[: max(0, max_leases - mine)]
    if free:
        return taken
    return _steal(worker_id, holdings, held, min(max_steals, max_leases - mine), rng)


def _steal(
    worker_id: str, holdings: Sequence[Holding], held: Counter[str], limit: int, rng: random.Random
) -> list[str]:
    living = {h.owner for h in holdings if h.living}
    counts = {owner: n for owner, n in held.items() if owner != worker_id and owner in living}
    mine = held[worker_id]
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
