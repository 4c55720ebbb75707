"""When the records of a shard become an object. Pure: the clock comes from outside.

A batch holds one shard's records in a row, of one arrival hour. What closes it: the next record does not fit (`bytes`,
`rows`) or arrived in another hour (`hour`), it has been open long enough (`age`), all batches together hold too much
(`pressure`), the shard is given up or has ended (`drain`), or it was read with care and no longer is (`care`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from services.kernel.streams.intake import RECORD_OVERHEAD_BYTES
from services.kernel.streams.records import Record

Reason = Literal["bytes", "rows", "hour", "age", "pressure", "drain", "care"]
HOUR_MS = 3_600_000
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one object may hold.

    Args:
        max_bytes: of records, each as it came and with what the intake reckons for it; one alone may exceed it.
        max_rows: one record alone may exceed it.
        max_age_s: from its first record to its closing.
    """

    max_bytes: int
    max_rows: int
    max_age_s: float


def cost_bytes(record: Record) -> int:
    """What an open record holds of the intake's budget: the same measure, so that the bounds compare."""
    return len(record.data) + RECORD_OVERHEAD_BYTES


@dataclass(slots=True, eq=False)
class Batch(Generic[T]):
    """One shard's records on their way into one object.

    Args:
        first: the record that opened it; its arrival says the hour.
        opened_at_s: by the caller's clock.
        items: what the caller keeps for each record.
    """

    first: Record
    opened_at_s: float
    last: Record = field(init=False)
    items: list[T] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0

    def __post_init__(self) -> None:
        self.last = self.first

    @property
    def hour(self) -> int:
        """Hours since the epoch, by the stream's own time of arrival."""
        return self.first.arrived_at_ms // HOUR_MS

    def add(self, record: Record, rows: int, item: T) -> None:
        """Take a record on, behind all others."""
        self.last = record
        self.items.append(item)
        self.rows += rows
        self.size_bytes += cost_bytes(record)

    def turns_away(self, record: Record, rows: int, bounds: Bounds) -> Reason | None:
        """Why the record has to go into the next object; None where it fits."""
        if record.arrived_at_ms // HOUR_MS != self.hour:
            return "hour"
        if self.rows + rows > bounds.max_rows:
            return "rows"
        if self.size_bytes + cost_bytes(record) > bounds.max_bytes:
            return "bytes"
        return None

    def due_at_s(self, bounds: Bounds) -> float:
        """When its age closes it."""
        return self.opened_at_s + bounds.max_age_s


def to_relieve(open_batches: Mapping[K, Batch[T]], limit_bytes: int) -> list[K]:
    """Which open batches to close early, so that those left hold at most the limit: the fullest first."""
    fullest = sorted(
        open_batches, key=lambda one: (-open_batches[one].size_bytes, open_batches[one].opened_at_s)
    )
    excess_bytes = sum(batch.size_bytes for batch in open_batches.values()) - limit_bytes
    chosen = []
    for one in fullest:
        if excess_bytes <= 0:
            break
        chosen.append(one)
        excess_bytes -= open_batches[one].size_bytes
    return chosen
