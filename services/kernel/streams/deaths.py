"""Which record is to blame when owners of a shard keep dying. Pure.

An exception names its record. A killed process names nothing, so after the second death without progress, or the
first that left a mark, the shard is read with care: one record at a time over all shards of the worker, its number
written to the lease before it is handed out and taken back once it is done. A record that was named three times is
poison. A record whose sink is merely away is never blamed: its mark is taken back.
"""

from __future__ import annotations

from dataclasses import replace

from services.kernel.streams.lease import Lease

MAX_ATTEMPTS = 3
CAREFUL_AFTER_DEATHS = 2


def taken_over(lease: Lease, by: str) -> Lease:
    """The lease as a new owner takes it; an owner that did not release it has died, as far as anyone can tell."""
    died = lease.owner is not None and lease.owner != by
    return replace(
        lease,
        owner=by,
        owner_switches=lease.owner_switches + (1 if died else 0),
        deaths=lease.deaths + (1 if died else 0),
    )


def stolen(lease: Lease, by: str) -> Lease:
    """The lease as another worker takes it from a living owner: nobody died."""
    return replace(lease, owner=by, owner_switches=lease.owner_switches + 1)


def advanced(lease: Lease, checkpoint: str, sub_sequence: int) -> Lease:
    """The lease with its checkpoint moved: the deaths before it no longer count."""
    if (checkpoint, sub_sequence) == (lease.checkpoint, lease.sub_sequence):
        return lease
    passed = (
        lease.attempt_sequence is not None
        and checkpoint.isdigit()
        and (int(checkpoint), sub_sequence) >= (lease.attempt_sequence, lease.attempt_sub_sequence)
    )
    moved = replace(
        lease,
        checkpoint=checkpoint,
        sub_sequence=sub_sequence,
        timestamp_ms=None,
        deaths=0,
        owner_switches=0,
    )
    return cleared(moved) if passed or not checkpoint.isdigit() else moved


def blamed(lease: Lease, sequence_number: int, sub_sequence: int = 0) -> Lease:
    """The lease with one more attempt on this record."""
    again = _is_marked(lease, sequence_number, sub_sequence)
    return replace(
        lease,
        attempt_sequence=sequence_number,
        attempt_sub_sequence=sub_sequence,
        attempts=(lease.attempts if again else 0) + 1,
    )


def cleared(lease: Lease) -> Lease:
    """The lease without a mark: the record at work is only waiting for its sink."""
    return replace(lease, attempt_sequence=None, attempt_sub_sequence=0, attempts=0)


def needs_care(lease: Lease) -> bool:
    """Whether records are to be handed out one at a time, each marked first."""
    return lease.deaths >= CAREFUL_AFTER_DEATHS or (lease.deaths > 0 and lease.attempts > 0)


def is_poison(lease: Lease, sequence_number: int, sub_sequence: int = 0) -> bool:
    """Whether this record ended the process too often to be tried again."""
    return _is_marked(lease, sequence_number, sub_sequence) and lease.attempts >= MAX_ATTEMPTS


def _is_marked(lease: Lease, sequence_number: int, sub_sequence: int) -> bool:
    return (lease.attempt_sequence, lease.attempt_sub_sequence) == (sequence_number, sub_sequence)
