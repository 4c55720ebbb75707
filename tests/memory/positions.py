"""Positions in memory: for tests and for reading a file once without a store."""

from __future__ import annotations

from services.kernel.tail.positions import Entry, LeaseLost


class MemoryPositions:
    """A PositionStore that is gone with the process."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def load(self, key: str) -> Entry | None:
        """See PositionStore."""
        return self.entries.get(key)

    async def swap(self, entry: Entry, expected_counter: int | None) -> None:
        """See PositionStore."""
        stored = self.entries.get(entry.key)
        if stored == entry:
            return
        if (stored.counter if stored else None) != expected_counter:
            raise LeaseLost(entry.key)
        self.entries[entry.key] = entry
