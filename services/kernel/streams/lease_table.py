"""The lease table: every write is conditional, so that of two workers at most one believes rightly.

Lost answers are part of life: a write whose answer was lost shows as a failed condition on our own row, and is
recognised by our owner id, which no other worker ever uses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.core.errors import CadabraError, Retryable
from services.kernel.streams.lease import Lease, from_item, to_item

_FREE = "attribute_not_exists(leaseKey)"
_UNCHANGED = "leaseCounter = :counter AND leaseOwner = :owner"
_UNCHANGED_AND_FREE = "leaseCounter = :counter AND attribute_not_exists(leaseOwner)"


class LeaseLost(CadabraError):
    """Somebody else holds the lease now; whatever is at work for it must stop."""


class RequestChanged(Retryable):
    """An operator's request was replaced by another one while it was being answered."""


class LeaseTable:
    """Reads and writes the leases of one application.

    Args:
        table: the physical name; by KCL's convention one table an application.
    """

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self.table = table

    async def read(self) -> dict[str, Lease]:
        """Read all leases consistently, by shard id; rows of other kinds are passed over."""
        leases: dict[str, Lease] = {}
        async for item in self._dynamodb.scan(self.table, consistent=True):
            lease = from_item(item)
            if lease is not None:
                leases[lease.shard_id] = lease
        return leases

    async def create(self, lease: Lease) -> None:
        """Make a lease; nothing changes where it exists."""
        try:
            await self._dynamodb.put_item(self.table, to_item(lease), condition=_FREE)
        except ConditionFailed:
            return

    async def take(self, seen: Lease, taken: Lease) -> Lease | None:
        """Become the owner of a lease that still is as it was seen.

        Args:
            seen: the lease as it was read.
            taken: the same lease with the new owner.

        Returns:
            The lease now held, or None when somebody was faster.
        """
        try:
            return await self._replace(seen, taken, ours=seen.owner == taken.owner)
        except (LeaseLost, RequestChanged):
            return None

    async def free(self, seen: Lease, freed: Lease) -> bool:
        """Take a lease from an owner that does not write any more.

        Args:
            seen: the lease as it stood still.
            freed: the same lease without an owner.

        Returns:
            False when it changed meanwhile.
        """
        try:
            await self._replace(seen, freed, ours=False)
        except (LeaseLost, RequestChanged):
            return False
        return True

    async def write(self, held: Lease, changed: Lease) -> Lease:
        """Write a held lease: a heartbeat, a checkpoint, a mark, or its release.

        Returns:
            The lease as it now is, its counter risen.

        Raises:
            LeaseLost: another worker holds it.
        """
        return await self._replace(held, changed, ours=True)

    async def delete(self, lease: Lease) -> None:
        """Remove a lease that nobody changed meanwhile."""
        try:
            await self._dynamodb.delete_item(
                self.table,
                {"leaseKey": {"S": lease.shard_id}},
                condition="leaseCounter = :counter",
                values={":counter": {"N": str(lease.counter)}},
            )
        except ConditionFailed:
            return

    async def pause(self, held: Lease, reason: str) -> None:
        """Keep everybody from reading a shard until it is resumed.

        Raises:
            LeaseLost: another worker holds it; it will find out by itself.
        """
        try:
            await self._dynamodb.update_item(
                self.table,
                {"leaseKey": {"S": held.shard_id}},
                "SET pausedReason = :reason",
                condition="leaseOwner = :owner",
                values={":reason": {"S": reason}, ":owner": {"S": str(held.owner)}},
            )
        except ConditionFailed as error:
            raise LeaseLost(f"lease of {held.shard_id} is held by another worker") from error

    async def resume(self, shard_id: str) -> None:
        """Take the pause off a shard, whoever holds it.

        Raises:
            ConditionFailed: there is no such lease.
        """
        await self._dynamodb.update_item(
            self.table,
            {"leaseKey": {"S": shard_id}},
            "REMOVE pausedReason",
            condition="attribute_exists(leaseKey)",
        )

    async def ask_release(self, seen: Lease) -> None:
        """Ask the owner of a lease to hand it back; whoever takes or releases it removes the request.

        Raises:
            ConditionFailed: that owner no longer holds it.
        """
        await self._dynamodb.update_item(
            self.table,
            {"leaseKey": {"S": seen.shard_id}},
            "SET releaseAskedOf = :owner",
            condition="leaseOwner = :owner",
            values={":owner": {"S": str(seen.owner)}},
        )

    async def ask_rewind(self, shard_id: str, rewind_to: str) -> None:
        """Ask for another checkpoint; the owner answers, or for a free lease whoever sees it.

        Args:
            rewind_to: as `rewind.request` writes it; replaces an earlier request that is not answered yet.

        Raises:
            ConditionFailed: there is no such lease.
        """
        await self._dynamodb.update_item(
            self.table,
            {"leaseKey": {"S": shard_id}},
            "SET rewindTo = :to",
            condition="attribute_exists(leaseKey)",
            values={":to": {"S": rewind_to}},
        )

    async def accept_loss(self, shard_id: str) -> None:
        """Declare a shard that the stream no longer has as read to its end, so that its children may start.

        Raises:
            ConditionFailed: there is no such lease.
        """
        await self._dynamodb.update_item(
            self.table,
            {"leaseKey": {"S": shard_id}},
            "SET checkpoint = :end REMOVE leaseOwner, checkpointTimestampMs, rewindTo",
            condition="attribute_exists(leaseKey)",
            values={":end": {"S": "SHARD_END"}},
        )

    async def _replace(self, seen: Lease, changed: Lease, ours: bool) -> Lease:
        counter = seen.counter
        while True:
            wanted = replace(changed, counter=counter + 1)
            try:
                await self._update(seen, counter, wanted)
            except ConditionFailed as error:
                found = from_item(error.item) if error.item else None
                if found is None:
                    raise LeaseLost(f"lease of {seen.shard_id} is gone") from error
                if _is_what_we_wrote(found, wanted):
                    return wanted
                if not ours or found.owner != seen.owner:
                    raise LeaseLost(f"lease of {seen.shard_id} is held by another worker") from error
                if _answers(seen, wanted) and found.rewind_to != seen.rewind_to:
                    raise RequestChanged(seen.shard_id) from error
                counter = found.counter  # of an earlier write of ours, whose answer was lost
            else:
                return wanted

    async def _update(self, seen: Lease, counter: int, wanted: Lease) -> None:
        sets, removes, names, values = _update_expression(wanted)
        values[":counter"] = {"N": str(counter)}
        condition = _UNCHANGED_AND_FREE
        if seen.owner is not None:
            condition = _UNCHANGED
            values[":owner"] = {"S": seen.owner}
        if wanted.owner != seen.owner:
            removes += _OF_THE_OWNER
        if _answers(seen, wanted):
            condition += " AND rewindTo = :answered"
            values[":answered"] = {"S": str(seen.rewind_to)}
            removes.append("rewindTo")
        expression = "SET " + ", ".join(sets) + (" REMOVE " + ", ".join(removes) if removes else "")
        await self._dynamodb.update_item(
            self.table,
            {"leaseKey": {"S": seen.shard_id}},
            expression,
            condition=condition,
            names=names,
            values=values,
            return_old_on_failure=True,
        )


def _is_what_we_wrote(found: Lease, wanted: Lease) -> bool:
    """Whether the row is our own write already: the answer to an earlier try was lost.

    Of a free lease it may be somebody else's, who answered another request: then it has another place.
    """
    return _written_place(found) == _written_place(wanted)


def _written_place(lease: Lease) -> tuple[object, ...]:
    return lease.owner, lease.counter, lease.checkpoint, lease.sub_sequence, lease.timestamp_ms


_OF_THE_OWNER = (
    "releaseAskedOf",
    # What a worker of KCL may have left in the middle of a hand-over or a two-step checkpoint; KCL removes it alike.
    # Source: amazon-kinesis-client, DynamoDBLeaseSerializer, getDynamoTakeLeaseUpdate, getDynamoUpdateLeaseUpdate.
    "checkpointOwner",
    "pendingCheckpoint",
    "pendingCheckpointSubSequenceNumber",
    "pendingCheckpointState",
)


def _answers(seen: Lease, wanted: Lease) -> bool:
    """Whether a write answers an operator's rewind."""
    return seen.rewind_to is not None and wanted.rewind_to is None


_WRITTEN = {
    "leaseOwner": "owner",
    "leaseCounter": "count",
    "checkpoint": "checkpoint",
    "checkpointSubSequenceNumber": "sub",
    "ownerSwitchesSinceCheckpoint": "switches",
    "childShardIds": "children",
    "deaths": "deaths",
    "attemptSequence": "attempt",
    "attemptSubSequence": "attempt_sub",
    "attempts": "attempts",
    "checkpointTimestampMs": "timestamp",
}
# Not `pausedReason`, `rewindTo`, `releaseAskedOf`: a heartbeat that wrote them would undo what an operator did.


def _update_expression(
    lease: Lease,
) -> tuple[list[str], list[str], dict[str, str], dict[str, dict[str, Any]]]:
    """Set what the lease has and remove what it lacks; attributes that we do not know stay as they are."""
    item = to_item(lease)
    sets = [f"#{short} = :new_{short}" for name, short in _WRITTEN.items() if name in item]
    removes = [f"#{short}" for name, short in _WRITTEN.items() if name not in item]
    names = {f"#{short}": name for name, short in _WRITTEN.items()}
    values = {f":new_{short}": item[name] for name, short in _WRITTEN.items() if name in item}
    return sets, removes, names, values
