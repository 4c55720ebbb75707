"""Unusual windows of one rule, key and direction, and the stretches of time that they form together.

An incident is such a stretch: windows that overlap, or that follow each other closely enough, are one. It is a
function of the set of windows alone, whatever the order in which they were found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Series(NamedTuple):
    """What an incident is of: at most one of each is open."""

    rule: str
    key: str
    direction: str


class Mark(NamedTuple):
    """One unusual window; `oddness` is lower the more unusual it is (a probability, where there is one)."""

    start_ms: int
    end_ms: int
    oddness: float


@dataclass(slots=True)
class Cluster:
    """A stretch of unusual windows: from the start of its first to the end of its last."""

    start_ms: int
    end_ms: int
    oddness: float

    def take(self, mark: Mark) -> None:
        self.start_ms = min(self.start_ms, mark.start_ms)
        self.end_ms = max(self.end_ms, mark.end_ms)
        self.oddness = min(self.oddness, mark.oddness)


class Marks:
    """The unusual windows of one series: at most one for each end and start.

    Args:
        joins_ms: windows further apart than this are of different incidents.
    """

    def __init__(self, joins_ms: int) -> None:
        self._joins_ms = joins_ms
        self._marks: dict[tuple[int, int], Mark] = {}
        self.clusters: list[Cluster] = []
        """In the order of time."""

    def __iter__(self) -> Iterator[Mark]:
        return iter(list(self._marks.values()))

    def __len__(self) -> int:
        return len(self._marks)

    def get(self, start_ms: int, end_ms: int) -> Mark | None:
        """The unusual window of this extent."""
        return self._marks.get((end_ms, start_ms))

    def put(self, mark: Mark) -> bool:
        """Add a window, or say how odd it is now.

        Returns:
            whether it is new.
        """
        known = self._marks.get((mark.end_ms, mark.start_ms))
        self._marks[mark.end_ms, mark.start_ms] = mark
        if known is not None and known.oddness < mark.oddness:
            self._build()
        else:
            self._join(mark)
        return known is None

    def drop(self, mark: Mark) -> bool:
        """Remove a window; says whether there was one."""
        if self._marks.pop((mark.end_ms, mark.start_ms), None) is None:
            return False
        self._build()
        return True

    def within(self, cluster: Cluster, after_ms: int = 0) -> list[Mark]:
        """The windows of one stretch that end later than `after_ms`."""
        first = max(cluster.start_ms, after_ms)
        return [mark for (end, _), mark in self._marks.items() if first < end <= cluster.end_ms]

    def forget(self, cluster: Cluster) -> list[Mark]:
        """Remove a stretch with its windows; gives these."""
        gone = self.within(cluster)
        for mark in gone:
            del self._marks[mark.end_ms, mark.start_ms]
        self.clusters.remove(cluster)
        return gone

    def fold(self, cluster: Cluster, before_ms: int) -> tuple[Mark, list[Mark]] | None:
        """Make one long window of those of a stretch that ended before a moment: its extent and oddness stay.

        Returns:
            the long one and those that it replaces; None if there is nothing to make one of.
        """
        old = [mark for mark in self.within(cluster) if mark.end_ms < before_ms]
        if len(old) < 2:
            return None
        long = Mark(cluster.start_ms, max(mark.end_ms for mark in old), min(mark.oddness for mark in old))
        for mark in old:
            del self._marks[mark.end_ms, mark.start_ms]
        self._marks[long.end_ms, long.start_ms] = long
        return long, [mark for mark in old if mark[:2] != long[:2]]

    def _join(self, mark: Mark) -> None:
        first, last = mark.start_ms - self._joins_ms, mark.end_ms + self._joins_ms
        touching = [each for each in self.clusters if each.start_ms <= last and each.end_ms >= first]
        if not touching:
            self.clusters.append(Cluster(*mark))
            self.clusters.sort(key=lambda each: each.start_ms)
            return
        kept = touching[0]
        kept.take(mark)
        for other in touching[1:]:
            kept.take(Mark(other.start_ms, other.end_ms, other.oddness))
            self.clusters.remove(other)

    def _build(self) -> None:
        self.clusters = []
        for _, mark in sorted(self._marks.items()):
            self._join(mark)
