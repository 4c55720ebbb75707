"""Reading again from an earlier place: the request on a lease's row, its answer, and which shards it reaches. Pure.

A request names the checkpoint that is wanted. It is written beside the lease, parents before children, and answered
by whoever may write the lease: its owner after all work stopped, the next owner as it takes it, anybody for a lease
that is free. A parent with a request that waits for its answer counts as not read to its end, so that children are
read again only after their parents were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from services.kernel.streams.lease import AT_TIMESTAMP, Lease
from services.kernel.streams.records import TRIM_HORIZON


def to_time(timestamp_ms: int) -> str:
    """Ask to read from the first record that arrived at or after a time.

    Args:
        timestamp_ms: UTC milliseconds since the epoch.
    """
    return f"{AT_TIMESTAMP}:{timestamp_ms}"


def to_sequence(number: int) -> str:
    """Ask to read the records behind this one, as if it were the last that was done."""
    return str(number)


def rewound(lease: Lease) -> Lease:
    """The lease as its request wants it, the request answered; deaths and blame begin anew."""
    kind, _, time_ms = str(lease.rewind_to).partition(":")
    return replace(
        lease,
        checkpoint=kind,
        sub_sequence=0,
        timestamp_ms=int(time_ms) if time_ms else None,
        rewind_to=None,
        deaths=0,
        owner_switches=0,
        attempt_sequence=None,
        attempt_sub_sequence=0,
        attempts=0,
    )


def parents_first(leases: Mapping[str, Lease]) -> list[Lease]:
    """The leases in an order in which every parent comes before its children."""
    ordered: dict[str, Lease] = {}

    def add(shard_id: str) -> None:
        if shard_id in leases and shard_id not in ordered:
            for parent in leases[shard_id].parents:
                add(parent)
            ordered[shard_id] = leases[shard_id]

    for shard_id in sorted(leases):
        add(shard_id)
    return list(ordered.values())


def requests_behind(numbers: Mapping[str, int], leases: Mapping[str, Lease]) -> dict[str, str]:
    """Which requests take these shards to their numbers, and what came out of them to its beginning.

    Returns:
        Requests by shard id, parents first: a reshard's children hold later records of the same keys.

    Raises:
        ValueError: a shard has no lease, was not read that far, or comes out of one that is read again.
    """
    reached = dict.fromkeys(_descendants(numbers, leases), TRIM_HORIZON)
    for shard_id, number in numbers.items():
        if shard_id not in leases:
            raise ValueError(f"no lease for the shard {shard_id}")
        if shard_id in reached:
            raise ValueError(
                f"{shard_id} comes out of another shard that is rewound, and is read from its beginning"
            )
        lease = leases[shard_id]
        if any(not leases[a].ended or leases[a].rewind_to is not None for a in _ancestors(shard_id, leases)):
            raise ValueError(f"{shard_id} comes out of a shard that is being read again; rewind both by time")
        if not lease.ended and not (lease.checkpoint.isdigit() and number <= int(lease.checkpoint)):
            raise ValueError(
                f"{shard_id} is at {lease.checkpoint}: {number} would leave records out that were never handled"
            )
        reached[shard_id] = to_sequence(number)
    return {
        lease.shard_id: reached[lease.shard_id]
        for lease in parents_first(leases)
        if lease.shard_id in reached
    }


def _ancestors(shard_id: str, leases: Mapping[str, Lease]) -> set[str]:
    found: set[str] = set()
    todo = [shard_id]
    while todo:
        parents = {p for p in leases[todo.pop()].parents if p in leases} - found
        found |= parents
        todo += parents
    return found


def _descendants(shard_ids: Iterable[str], leases: Mapping[str, Lease]) -> set[str]:
    found: set[str] = set()
    todo = set(shard_ids)
    while todo:
        todo = {lease.shard_id for lease in leases.values() if todo & set(lease.parents)} - found
        found |= todo
    return found
