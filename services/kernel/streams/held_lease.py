"""A lease in the hands of its worker: kept by heartbeats, used to fence every checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseLost, LeaseTable
from services.kernel.streams.rewind import rewound


class HeldLease:
    """Writes one held lease, one write at a time.

    Args:
        clock: monotonic seconds.
        lease_time_s: after this many seconds without a write that succeeded another worker may have taken it.
    """

    def __init__(
        self,
        table: LeaseTable,
        lease: Lease,
        lease_time_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.lease = lease
        self._table = table
        self._lease_time_s = lease_time_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._written_at_s = clock()

    @property
    def unwritten_s(self) -> float:
        """Seconds since the last write that is known to have succeeded began."""
        return self._clock() - self._written_at_s

    async def rewind(self, rewind_to: str | None) -> Lease:
        """Answer an operator's rewind and release the lease, so that its shard is read anew.

        Args:
            rewind_to: the request, None when it was taken back.

        Raises:
            RequestChanged: another request came meanwhile.
            LeaseLost, Retryable: as `update`.
        """
        if rewind_to is None:
            return await self.update(lambda lease: replace(lease, owner=None))
        return await self.update(lambda lease: replace(rewound(lease), owner=None), rewind_to)

    async def update(self, change: Callable[[Lease], Lease], rewind_to: str | None = None) -> Lease:
        """Write the lease as `change` makes it; every write is a heartbeat too.

        Args:
            rewind_to: the request that this write answers, if it does.

        Raises:
            LeaseLost: another worker holds it, or may do so since too much time has passed.
            Retryable: the table did not answer well; the lease may still be held.
        """
        async with self._lock:
            began_at_s = self._clock()
            left_s = self._lease_time_s - self.unwritten_s
            if left_s <= 0:
                raise LeaseLost(f"no heartbeat of {self.lease.shard_id} succeeded within the lease time")
            try:
                async with asyncio.timeout(left_s):
                    seen = self.lease
                    if seen.rewind_to != rewind_to:
                        seen = replace(seen, rewind_to=rewind_to)
                    self.lease = await self._table.write(seen, change(seen))
            except TimeoutError as error:
                raise LeaseLost(f"no heartbeat of {self.lease.shard_id} was answered in time") from error
            self._written_at_s = began_at_s
            return self.lease

    async def pause(self, reason: str) -> None:
        """Keep everybody from reading the shard until an operator resumes it."""
        await self._table.pause(self.lease, reason)
