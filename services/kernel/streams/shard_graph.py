"""Which leases a stream needs, which of them may be read, and where records may have been lost. Pure.

The rules, each for one way to lose records at a reshard:
- A child is read only after every parent's end is in the table: two parents after a merge.
- Leases are made parents first, so that a child's lease proves that its parents' leases were made.
- A parent that the stream no longer has, and whose end is not in the table, has taken unread records with it.
- What an operator wants read again counts as if it were there already: who takes a lease answers its request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Shard
from services.kernel.streams.rewind import rewound


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a lease may be read.

    Args:
        startable: every parent has been read to its end.
        lost: shards that are gone without having been read to their end.
    """

    startable: bool
    lost: tuple[str, ...] = ()


def missing_leases(shards: Iterable[Shard], leases: Mapping[str, Lease]) -> list[Lease]:
    """List the leases to create, parents before children, each to be read from its shard's oldest record.

    Args:
        shards: all shards that the stream lists, closed ones included.
        leases: the table, by shard id.
    """
    listed = {shard.shard_id: shard for shard in shards}
    known_ancestors = _ancestors_of(leases, listed)
    wanted = [s for s in listed.values() if s.shard_id not in leases and s.shard_id not in known_ancestors]
    return [_new_lease(shard) for shard in _parents_first(wanted)]


def readiness(lease: Lease, leases: Mapping[str, Lease], listed: Iterable[str]) -> Readiness:
    """Say whether a lease may be read now.

    Args:
        listed: ids of all shards that the stream lists; never an empty answer of a failed call.
    """
    present = set(listed)
    if lease.ended:
        return Readiness(False)
    if lease.shard_id not in present:
        return Readiness(False, (lease.shard_id,))
    if not waits_for_parents(lease):
        return Readiness(True)
    open_parents = [p for p in lease.parents if not _read_to_end(p, leases, present)]
    lost = tuple(p for p in open_parents if p not in present)
    return Readiness(not open_parents, lost)


def waits_for_parents(lease: Lease) -> bool:
    """Whether who takes the lease begins to read at a place that counts on the end of its parents."""
    begins = lease if lease.rewind_to is None else rewound(lease)
    return bool(lease.parents) and not begins.started


def removable(leases: Mapping[str, Lease], listed: Iterable[str]) -> list[Lease]:
    """List the leases of shards that ended, that the stream has forgotten, and that no child waits for."""
    present = set(listed)
    waited_for = {p for lease in leases.values() if not lease.started for p in lease.parents}
    return [
        lease
        for lease in leases.values()
        if lease.ended and lease.shard_id not in present and lease.shard_id not in waited_for
    ]


def _read_to_end(parent: str, leases: Mapping[str, Lease], present: set[str]) -> bool:
    if parent in leases:
        # An end that an operator wants reopened is none; a shard that is gone cannot be.
        return leases[parent].ended and (leases[parent].rewind_to is None or parent not in present)
    return parent not in present  # trimmed before this application began


def _new_lease(shard: Shard) -> Lease:
    return Lease(
        shard_id=shard.shard_id,
        parents=tuple(sorted(shard.parents)),
        starting_hash_key=shard.starting_hash_key,
        ending_hash_key=shard.ending_hash_key,
    )


def _ancestors_of(leases: Mapping[str, Lease], listed: Mapping[str, Shard]) -> set[str]:
    found: set[str] = set()
    todo = list(leases)
    while todo:
        shard_id = todo.pop()
        parents = listed[shard_id].parents if shard_id in listed else leases[shard_id].parents
        for parent in parents:
            if parent not in found and (parent in listed or parent in leases):
                found.add(parent)
                todo.append(parent)
    return found


def _parents_first(shards: list[Shard]) -> list[Shard]:
    waiting = {shard.shard_id: shard for shard in shards}
    ordered: list[Shard] = []
    while waiting:
        free = [s for s in waiting.values() if not any(p in waiting for p in s.parents)]
        # A cycle cannot come from Kinesis; taking what is left keeps a broken answer from hanging us.
        for shard in free or list(waiting.values()):
            ordered.append(waiting.pop(shard.shard_id))
    return ordered
