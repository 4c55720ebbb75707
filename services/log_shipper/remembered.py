"""What was made of a key before, kept for when it comes again, within a bound that no input can pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Makes a value for a key once and keeps the newest; `remembered[key]` costs one look-up when it is there.

    Two generations: when the younger one is full the older one is forgotten. So at most twice `limit` values
    are kept, what is asked for again and again stays through any flood of new keys, and nothing is sorted.

    Args:
        make: makes the value; what it raises passes through and nothing is kept.
        limit: values in one generation.
    """

    def __init__(self, make: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._make = make
        self._limit = limit
        self._older: dict[K, V] = {}

    def __missing__(self, key: K) -> V:
        value = self._older[key] if key in self._older else self._make(key)
        if len(self) >= self._limit:
            self._older = dict(self)
            self.clear()
        self[key] = value
        return value

    def kept(self) -> int:
        """How many values are in memory."""
        return len(self.keys() | self._older.keys())
