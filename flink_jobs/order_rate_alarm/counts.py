"""Orders of each key by minute, and the sums of the sliding windows that an order falls into.

Sums are kept up to date order by order, never added up anew: an order costs as many additions as there are windows
that hold it, whatever the number of orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class WindowSums:
    """Orders of one key in windows that slide by one step; a window is named by the step at which it ends.

    Args:
        width: steps of a window.
        limit: gives the count from which on a window is unusual; asked at most once for each window.
        least: no window's limit is lower; below it none is asked for.
    """

    def __init__(self, width: int, limit: Callable[[int], float], least: float = 0.0) -> None:
        self._width = width
        self._limit = limit
        self._least = least
        self.sums: dict[int, int] = {}
        self._limits: dict[int, float] = {}

    def add(self, step: int) -> list[int]:
        """Count an order; gives the ends of the windows that hold it and are unusual with it."""
        sums, limits, least = self.sums, self._limits, self._least
        unusual = []
        for end in range(step + 1, step + self._width + 1):
            if end not in sums:
                sums[end] = 0
            count = sums[end] = sums[end] + 1
            if count < least:
                continue
            limit = limits.get(end)
            if limit is None:
                limit = limits[end] = self._limit(end)
            if count >= limit:
                unusual.append(end)
        return unusual

    def fill(self, counts: Iterable[tuple[int, int]]) -> list[int]:
        """Take over counts of whole steps; gives the ends of all unusual windows."""
        sums = self.sums
        for step, count in counts:
            for end in range(step + 1, step + self._width + 1):
                sums[end] = sums.get(end, 0) + count
        return sorted(
            end for end, count in sums.items() if count >= self._least and count >= self._limit(end)
        )

    def prune(self, before_step: int) -> None:
        """Forget windows that end at or before a step."""
        for end in [end for end in self.sums if end <= before_step]:
            del self.sums[end]
            self._limits.pop(end, None)


class MinuteCounts:
    """Orders of every key by minute since 1970."""

    def __init__(self) -> None:
        self.by_key: dict[str, dict[int, int]] = {}

    def add(self, key: str, minute: int) -> None:
        """Count an order."""
        counts = self.by_key.get(key)
        if counts is None:
            counts = self.by_key[key] = {}
        counts[minute] = counts.get(minute, 0) + 1

    def of(self, key: str) -> dict[int, int]:
        """The minutes of a key that have orders."""
        return self.by_key.get(key, {})

    def between(self, key: str, start_minute: int, end_minute: int) -> int:
        """Orders of a key from one minute to another, the latter exclusive."""
        counts = self.of(key)
        if end_minute - start_minute > len(counts):
            return sum(count for minute, count in counts.items() if start_minute <= minute < end_minute)
        return sum(counts.get(minute, 0) for minute in range(start_minute, end_minute))

    def forget(self, minutes: Iterable[int]) -> None:
        """Forget minutes, and keys of which nothing is left."""
        gone = list(minutes)
        for key in list(self.by_key):
            counts = self.by_key[key]
            for minute in gone:
                counts.pop(minute, None)
            if not counts:
                del self.by_key[key]
