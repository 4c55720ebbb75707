"""What waits to be sent: records in order of arrival, cut into batches by count and bytes."""

from __future__ import annotations

import asyncio
from collections import deque

from services.kernel.streams.records import Stored

_COMPACT_ABOVE = 1024


class Entry:
    """One record on its way. It is settled when its future is done; `held` says what it holds of the budget.

    Args:
        size_bytes: data and key.
        held: bytes of the pending budget; 0 once they are given back.
        records: how many were put with it: more than one in an aggregate.
        deadline: when its put gives up, by the loop's clock.
    """

    __slots__ = (
        "attempts",
        "data",
        "deadline",
        "future",
        "held",
        "in_flight",
        "key",
        "queued",
        "records",
        "size_bytes",
    )

    def __init__(
        self,
        key: str,
        data: bytes,
        size_bytes: int,
        held: int,
        deadline: float,
        future: asyncio.Future[Stored],
    ) -> None:
        self.key = key
        self.data = data
        self.size_bytes = size_bytes
        self.held = held
        self.deadline = deadline
        self.future = future
        self.records = 1
        self.attempts = 0
        self.queued = False
        self.in_flight = False


class BatchQueue:
    """A queue of entries that gives them out in batches; taking one out of its middle costs nothing.

    Args:
        max_records, max_bytes: of one batch; a single record may be larger than `max_bytes`.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.records = 0
        self._bytes = 0
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        """Places in use, those of entries that were taken out included."""
        return len(self._entries)

    @property
    def full(self) -> bool:
        """Whether a whole batch waits."""
        return self.records >= self.max_records or self._bytes >= self.max_bytes

    def add(self, entry: Entry) -> None:
        """Queue an entry at the end."""
        entry.queued = True
        self._entries.append(entry)
        self.records += 1
        self._bytes += entry.size_bytes

    def remove(self, entry: Entry) -> None:
        """Take out an entry that nobody waits for any more; its place is passed over when its turn comes."""
        self._count_out(entry)
        if not self.records:
            self._entries.clear()
        elif len(self._entries) > _COMPACT_ABOVE + 2 * self.records:
            self._entries = deque(one for one in self._entries if one.queued)

    def next_batch(self) -> list[Entry]:
        """Take out the oldest entries that fit into one batch."""
        batch: list[Entry] = []
        size_bytes = 0
        entries = self._entries
        while entries and len(batch) < self.max_records:
            entry = entries[0]
            if entry.queued:
                size_bytes += entry.size_bytes
                if batch and size_bytes > self.max_bytes:
                    break
                self._count_out(entry)
                batch.append(entry)
            entries.popleft()
        if not self.records:
            entries.clear()
        return batch

    def _count_out(self, entry: Entry) -> None:
        entry.queued = False
        self.records -= 1
        self._bytes -= entry.size_bytes
