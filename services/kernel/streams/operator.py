"""What an operator asks of a running group: hand a lease back, read again from an earlier place.

A request is an attribute on the lease's row. Its owner answers within a look; for an owner that does not write any
more, or none at all, the operator's side answers itself, on the same conditions as a worker. A request that was
written and whose asker is gone is answered all the same, so that repeating a command is always right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.kernel.adapters.dynamodb import ConditionFailed
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.streams import rewind
from services.kernel.streams.aggregation import last_sub_sequence
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.lease_watch import LeaseWatch
from services.kernel.streams.records import Record

LOOK_S = 0.2
PATIENCE_S = 10.0  # beyond the lease time, for a drain and a slow look


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request for one shard.

    Args:
        outcome: `done`; `kept` for a shard that is behind the wanted place as it is; `pending` when its owner did
            not answer in time, the request stays.
    """

    shard_id: str
    outcome: str


class Operator:
    """Asks one application's group and waits for its answers.

    Args:
        lease_time_s: as the group's workers have it; an owner that stands still for so long is gone.
        clock: monotonic seconds.
        retry: for every call.
    """

    def __init__(
        self, table: LeaseTable, lease_time_s: float, clock: Callable[[], float], retry: Retry
    ) -> None:
        self._table = table
        self._lease_time_s = lease_time_s
        self._clock = clock
        self._retry = retry

    async def release(self, leases: Sequence[Lease]) -> list[Answer]:
        """Have owned leases handed back, drained; a lease whose owner is gone is freed.

        Args:
            leases: as just read, each with an owner.
        """
        owners = {lease.shard_id: lease.owner for lease in leases}
        for lease in leases:
            try:
                await self._retry.call(lambda lease=lease: self._table.ask_release(lease))  # type: ignore[misc]
            except ConditionFailed:
                continue  # handed back already

        def pending(found: Mapping[str, Lease]) -> list[Lease]:
            return [found[s] for s, owner in owners.items() if s in found and found[s].owner == owner]

        def freed(lease: Lease) -> Lease:
            # Its owner died without a release, which the next one has to know.
            switches, deaths = lease.owner_switches + 1, lease.deaths + 1
            return replace(lease, owner=None, owner_switches=switches, deaths=deaths)

        return await self._wait(list(owners), pending, freed)

    async def rewind_to_time(self, kinesis: Kinesis, stream: str, timestamp_ms: int) -> list[Answer]:
        """Have every record that arrived at or after a time handled again; returns once reading begins there.

        Nothing is left out: a shard whose first open record is older than that keeps its place. Of shards that
        ended those are opened again that the stream still lists.

        Args:
            timestamp_ms: UTC milliseconds since the epoch, not after now.
        """
        request = rewind.to_time(timestamp_ms)
        kept: list[Answer] = []
        asked: list[str] = []
        while True:  # until a look shows no lease that was made meanwhile by a reshard
            leases = await self._retry.call(self._table.read)
            # Listed anew with each look: a shard that came meanwhile may have ended already, and not be gone.
            listed = {s.shard_id for s in await self._retry.call(lambda: kinesis.list_shards(stream))}
            known = {*asked, *(answer.shard_id for answer in kept)}
            fresh = [one for one in rewind.parents_first(leases) if one.shard_id not in known]
            fresh = [one for one in fresh if one.shard_id in listed or not one.ended]
            if not fresh:
                break
            for lease in fresh:
                if not lease.ended and await self._is_behind(kinesis, stream, lease, timestamp_ms):
                    kept.append(Answer(lease.shard_id, "kept"))
                else:
                    await self._ask(lease.shard_id, request)
                    asked.append(lease.shard_id)
        return kept + await self._rewound(asked)

    async def rewind_to_sequences(self, numbers: Mapping[str, int]) -> list[Answer]:
        """Have the records behind these numbers handled again, and all of what came out of those shards.

        Args:
            numbers: the last record to be left alone, by shard.

        Raises:
            ValueError: a shard has no lease, was not read that far, or comes out of one that is read again.
        """
        requests = rewind.requests_behind(numbers, await self._retry.call(self._table.read))
        for shard_id, request in requests.items():
            await self._ask(shard_id, request)
        return await self._rewound(list(requests))

    async def _ask(self, shard_id: str, request: str) -> None:
        try:
            await self._retry.call(lambda: self._table.ask_rewind(shard_id, request))
        except ConditionFailed:
            return  # the lease was removed: its shard is gone

    async def _rewound(self, shard_ids: list[str]) -> list[Answer]:
        def pending(found: Mapping[str, Lease]) -> list[Lease]:
            return [found[s] for s in shard_ids if s in found and found[s].rewind_to is not None]

        return await self._wait(shard_ids, pending, lambda lease: replace(rewind.rewound(lease), owner=None))

    async def _is_behind(self, kinesis: Kinesis, stream: str, lease: Lease, timestamp_ms: int) -> bool:
        """Whether a record older than this time is open, so that going there would leave it out."""

        async def look() -> bool:
            iterator: str | None = await kinesis.shard_iterator(stream, lease.shard_id, lease.position)
            while iterator is not None:
                fetch = await kinesis.get_records(iterator, 1, stream=stream, shard_id=lease.shard_id)
                found = [record for record in fetch.records if _is_open(record, lease)]
                if found:
                    return found[0].arrived_at_ms < timestamp_ms
                if fetch.millis_behind_latest == 0:
                    return False
                iterator = fetch.next_iterator
            return False

        return await self._retry.call(look)  # an iterator may expire: each try brings its own

    async def _wait(
        self,
        shard_ids: list[str],
        pending: Callable[[Mapping[str, Lease]], list[Lease]],
        answered: Callable[[Lease], Lease],
    ) -> list[Answer]:
        """Look until nothing is pending; answer for owners that are gone."""
        watch = LeaseWatch(self._lease_time_s)
        deadline_s = self._clock() + self._lease_time_s + PATIENCE_S
        while True:
            leases = await self._retry.call(self._table.read)
            watch.look(leases, self._clock())
            waiting = pending(leases)
            if not waiting or self._clock() >= deadline_s:
                left = {lease.shard_id for lease in waiting}
                return [Answer(s, "pending" if s in left else "done") for s in shard_ids]
            for lease in waiting:
                if watch.is_free(lease, self._clock()):
                    await self._retry.call(lambda lease=lease: self._table.free(lease, answered(lease)))  # type: ignore[misc]
            await asyncio.sleep(LOOK_S)


def _is_open(record: Record, lease: Lease) -> bool:
    """Whether a record has effects that are not durable; reading may begin at the one that is the checkpoint."""
    if not lease.checkpoint.isdigit() or record.sequence_number > int(lease.checkpoint):
        return True
    return record.sequence_number == int(lease.checkpoint) and lease.sub_sequence < last_sub_sequence(record)
