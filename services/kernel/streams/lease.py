"""A lease: who reads a shard, how far its effects are durable, and what is known of its deaths.

Pure values and their form in DynamoDB. The attribute names are those of the Kinesis Client Library (KCL), so that
its tools read our table and we read its table; attributes of our own come beside them and KCL leaves them alone.
Source: amazon-kinesis-client, DynamoDBLeaseSerializer and DynamoDBMultiStreamLeaseSerializer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.kernel.streams.records import LATEST, TRIM_HORIZON, Position

SHARD_END = "SHARD_END"
AT_TIMESTAMP = "AT_TIMESTAMP"
Item = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Lease:
    """One row of a lease table.

    Args:
        shard_id: the shard, `leaseKey` in the table.
        owner: id of the worker that holds it, None when it is free.
        counter: rises with every write of the owner; a reader that sees it stand still for the lease time
            may take the lease.
        checkpoint: TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END, or the decimal sequence number up to which
            every effect is durable.
        sub_sequence: the last one inside an aggregated record whose effect is durable; 0 otherwise.
        deaths: how many owners ended without releasing it since the checkpoint last moved.
        attempt_sequence: the record that was at work alone when an owner ended, None when unknown.
        attempt_sub_sequence: which one inside an aggregated record; 0 otherwise.
        attempts: how often it was.
        paused: why reading is paused until an operator resumes it, None when it is not.
        timestamp_ms: where AT_TIMESTAMP is, UTC milliseconds since the epoch; None with any other checkpoint.
        rewind_to: the checkpoint that an operator asks for, see `rewind`; None when nobody does.
        release_asked_of: the owner that an operator asks to hand the lease back, None when nobody does.
    """

    shard_id: str
    owner: str | None = None
    counter: int = 0
    checkpoint: str = TRIM_HORIZON
    sub_sequence: int = 0
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    starting_hash_key: str | None = None
    ending_hash_key: str | None = None
    owner_switches: int = 0
    deaths: int = 0
    attempt_sequence: int | None = None
    attempt_sub_sequence: int = 0
    attempts: int = 0
    paused: str | None = None
    timestamp_ms: int | None = None
    rewind_to: str | None = None
    release_asked_of: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the shard was read to its end, every effect durable."""
        return self.checkpoint == SHARD_END

    @property
    def started(self) -> bool:
        """Whether some of the shard was already checkpointed, since the last rewind if there was one."""
        return self.checkpoint not in (TRIM_HORIZON, LATEST, AT_TIMESTAMP)

    @property
    def place(self) -> tuple[int, int] | None:
        """The sequence number and sub-sequence up to which every effect is durable; None when that is no number."""
        return (int(self.checkpoint), self.sub_sequence) if self.checkpoint.isdigit() else None

    @property
    def position(self) -> Position:
        """Where a new owner begins to read: at the checkpoint's own record, to pass over what `place` says is done.

        Sub-sequence 0 does not tell a record of its own from an aggregate whose first record is done, in our rows as
        in KCL's. Source: amazon-kinesis-client, ProcessTask and ShardRecordProcessorCheckpointer: reading begins at
        the sequence number, records up to the checkpoint are filtered out, and a whole aggregate that is done has the
        sub-sequence of its last record.
        """
        if self.checkpoint in (TRIM_HORIZON, LATEST):
            return Position(self.checkpoint)
        if self.checkpoint == AT_TIMESTAMP:
            # KCL keeps no time beside the sentinel: a row without one is read from its oldest record.
            return (
                Position.trim_horizon()
                if self.timestamp_ms is None
                else Position.at_timestamp(self.timestamp_ms)
            )
        return Position("AT_SEQUENCE_NUMBER", int(self.checkpoint))


def to_item(lease: Lease) -> dict[str, dict[str, Any]]:
    """Write a lease as a DynamoDB item; what is None, 0 by default or empty is left out."""
    item: dict[str, dict[str, Any]] = {
        "leaseKey": {"S": lease.shard_id},
        "leaseCounter": {"N": str(lease.counter)},
        "checkpoint": {"S": lease.checkpoint},
        "checkpointSubSequenceNumber": {"N": str(lease.sub_sequence)},
        "ownerSwitchesSinceCheckpoint": {"N": str(lease.owner_switches)},
    }
    texts = {
        "leaseOwner": lease.owner,
        "startingHashKey": lease.starting_hash_key,
        "endingHashKey": lease.ending_hash_key,
        "pausedReason": lease.paused,
        "rewindTo": lease.rewind_to,
        "releaseAskedOf": lease.release_asked_of,
    }
    item.update({name: {"S": value} for name, value in texts.items() if value is not None})
    sets = {"parentShardId": lease.parents, "childShardIds": lease.children}
    item.update({name: {"SS": list(value)} for name, value in sets.items() if value})
    if lease.timestamp_ms is not None:
        item["checkpointTimestampMs"] = {"N": str(lease.timestamp_ms)}
    if lease.deaths:
        item["deaths"] = {"N": str(lease.deaths)}
    if lease.attempt_sequence is not None:
        item["attemptSequence"] = {"S": str(lease.attempt_sequence)}
        item["attempts"] = {"N": str(lease.attempts)}
        if lease.attempt_sub_sequence:
            item["attemptSubSequence"] = {"N": str(lease.attempt_sub_sequence)}
    return item


def from_item(item: Item) -> Lease | None:
    """Read a lease from a DynamoDB item of ours or of KCL's.

    Returns:
        None for a row of another kind, such as KCL's coordinator state and worker metrics.
    """
    # Newer versions of KCL keep their other entities in the lease table too, told apart by `entityType`.
    if "leaseKey" not in item or "checkpoint" not in item or _text(item, "entityType") not in (None, "LEASE"):
        return None
    attempt = _text(item, "attemptSequence")
    return Lease(
        shard_id=str(item["leaseKey"]["S"]),
        owner=_text(item, "leaseOwner"),
        counter=_number(item, "leaseCounter"),
        checkpoint=str(item["checkpoint"]["S"]),
        sub_sequence=_number(item, "checkpointSubSequenceNumber"),
        parents=_texts(item, "parentShardId"),
        children=_texts(item, "childShardIds"),
        starting_hash_key=_text(item, "startingHashKey"),
        ending_hash_key=_text(item, "endingHashKey"),
        owner_switches=_number(item, "ownerSwitchesSinceCheckpoint"),
        deaths=_number(item, "deaths"),
        attempt_sequence=None if attempt is None else int(attempt),
        attempt_sub_sequence=_number(item, "attemptSubSequence"),
        attempts=_number(item, "attempts"),
        paused=_text(item, "pausedReason"),
        timestamp_ms=_number(item, "checkpointTimestampMs") if "checkpointTimestampMs" in item else None,
        rewind_to=_text(item, "rewindTo"),
        release_asked_of=_text(item, "releaseAskedOf"),
    )


def _text(item: Item, name: str) -> str | None:
    return item[name].get("S") if name in item else None


def _number(item: Item, name: str) -> int:
    return int(item[name].get("N", 0)) if name in item else 0


def _texts(item: Item, name: str) -> tuple[str, ...]:
    return tuple(sorted(item[name].get("SS", ()))) if name in item else ()
