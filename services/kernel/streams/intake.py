"""Records of one shard on their way in: fetched within the budget, taken apart, each handed out once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.aggregation import taken_apart
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.records import Fetch, Record
from services.kernel.streams.shard_reader import FETCH_BYTES, ShardReader

# What an open record costs beside its data: itself, its delivery, its places in checkpoint and line. About 550 bytes on
# CPython 3.11 where every key differs (tests/unit/streams/test_bounds.py holds it); the rest is for what is on its way.
RECORD_OVERHEAD_BYTES = 1_024

HandOut = Callable[[Sequence[Record], InvalidRecord | None], Awaitable[None]]


class Intake:
    """Fetches and keeps account of what is open.

    Open records hold room in the budget, each until it is acknowledged. An aggregate may hold more than it had as it
    came: the next one is taken apart only once the budget is kept again, or nothing of this shard is open.
    """

    def __init__(
        self, reader: ShardReader, tracker: CheckpointTracker, budget: ByteBudget, metrics: GroupMetrics
    ) -> None:
        self._reader = reader
        self._tracker = tracker
        self._budget = budget
        self._metrics = metrics
        self._acknowledged = asyncio.Event()

    async def fetch(self, hand_out: HandOut) -> Fetch | None:
        """Wait for room, fetch, and hand out what was not handed out before, in stream order.

        Args:
            hand_out: takes records, and why they have to be rejected if that is already known.

        Returns:
            What was fetched; None when the stream lacks the shard.
        """
        await self._budget.reserve(FETCH_BYTES)
        held = FETCH_BYTES
        try:
            fetch = await self._reader.fetch()
            if fetch is None:
                return None
            to_come = sum(len(record.data) for record in fetch.records)
            for records, size_bytes, error in taken_apart(fetch.records):
                fresh = self._tracker.hand_out(records)
                self._metrics.records_refetched.inc(len(records) - len(fresh))
                to_come -= size_bytes
                # From here on the open records hold their room.
                self._budget.release(held - to_come - sum(_cost(record) for record in fresh))
                held = to_come
                if fresh:
                    await hand_out(fresh, error)
                if to_come:
                    await self._room()
            return fetch
        finally:
            self._budget.release(held)

    def acknowledge(self, record: Record) -> bool:
        """Mark a record's effect as durable and give its room back.

        Returns:
            False when it was acknowledged before.
        """
        if not self._tracker.acknowledge(record):
            return False
        self._budget.release(_cost(record))
        self._acknowledged.set()
        return True

    def give_back(self) -> None:
        """Give back the room of what is still open: nobody will acknowledge it any more."""
        self._budget.release(self._tracker.open_bytes + self._tracker.open_records * RECORD_OVERHEAD_BYTES)

    async def _room(self) -> None:
        # Only for acknowledgements of this shard: what waits for others could wait for ever.
        while self._budget.used_bytes > self._budget.limit_bytes and self._tracker.open_records:
            self._acknowledged.clear()
            await self._acknowledged.wait()


def _cost(record: Record) -> int:
    return len(record.data) + RECORD_OVERHEAD_BYTES
