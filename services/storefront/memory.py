"""Records of products and countries in memory, bounded in bytes, and subjects that have none, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from contracts.recommendations import Recommendations
from services.storefront.metrics import StorefrontMetrics

MAX_MISSING = 10_000
"""Subjects of which memory knows that they have no record; the one not asked for the longest goes first."""


@dataclass(frozen=True, slots=True)
class _Kept:
    version: str
    record: Recommendations
    size_bytes: int


class Memory:
    """What was read last of each subject; the subject not asked for the longest goes first.

    Args:
        max_bytes: of the records as they are stored, together; a longer one is not kept.
    """

    def __init__(self, max_bytes: int, metrics: StorefrontMetrics) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._missing: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._bytes = 0
        metrics.cached_records.set_function(lambda: len(self._kept))
        metrics.cached_bytes.set_function(lambda: self._bytes)
        metrics.known_missing.set_function(lambda: len(self._missing))

    def record(self, version: str, subject: str) -> Recommendations | None:
        """The record of this version, if it is the one that is kept of the subject."""
        kept = self._kept.get(subject)
        if kept is None or kept.version != version:
            return None
        self._kept.move_to_end(subject)
        return kept.record

    def keep(self, version: str, record: Recommendations, size_bytes: int) -> None:
        """Remember a record in place of another version's."""
        if size_bytes > self._max_bytes:
            return
        before = self._kept.pop(record.subject, None)
        self._bytes += size_bytes - (before.size_bytes if before is not None else 0)
        self._kept[record.subject] = _Kept(version, record, size_bytes)
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].size_bytes

    def is_missing(self, version: str, subject: str) -> bool:
        """Whether this version is known to have no record of this subject."""
        key = (version, subject)
        if key not in self._missing:
            return False
        self._missing.move_to_end(key)
        return True

    def keep_missing(self, version: str, subject: str) -> None:
        """Remember that this version, which is in service, has no record of this subject."""
        self._missing[version, subject] = None
        if len(self._missing) > MAX_MISSING:
            self._missing.popitem(last=False)
