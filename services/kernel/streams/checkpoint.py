"""How far a shard's effects are durable without a gap. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from services.kernel.streams.records import Record

Place = tuple[int, int]  # sequence number, sub-sequence


class CheckpointTracker:
    """Holds every record that was handed out, and the highest place below which all are acknowledged.

    Acknowledgements may come in any order and more than once; the checkpoint never moves backwards and never past
    a record that is still open.

    Args:
        done: the place up to which everything was done before, None for nothing.
    """

    def __init__(self, done: Place | None = None) -> None:
        self._open: OrderedDict[Place, Record | None] = OrderedDict()
        self._last: Place = (-1, -1) if done is None else done
        self._checkpoint: Place | None = None
        self.open_bytes = 0
        self.open_records = 0

    @property
    def checkpoint(self) -> Place | None:
        """The highest contiguous acknowledged place, None before the first."""
        return self._checkpoint

    def hand_out(self, records: Iterable[Record]) -> list[Record]:
        """Open records in stream order.

        Returns:
            The records that were not handed out before: a stream that is read again after an expired iterator may
            repeat some, and a checkpoint may lie inside an aggregate; those are already open or done.
        """
        fresh = []
        for record in records:
            place = (record.sequence_number, record.sub_sequence)
            if place <= self._last:
                continue
            self._last = place
            self._open[place] = record
            self.open_bytes += len(record.data)
            self.open_records += 1
            fresh.append(record)
        return fresh

    def acknowledge(self, record: Record) -> bool:
        """Mark a record's effect as durable.

        Returns:
            False when it was acknowledged before.
        """
        place = (record.sequence_number, record.sub_sequence)
        if self._open.get(place) is None:
            return False
        self._open[place] = None
        self.open_bytes -= len(record.data)
        self.open_records -= 1
        while self._open:
            first, still_open = next(iter(self._open.items()))
            if still_open is not None:
                break
            del self._open[first]
            self._checkpoint = first
        return True

    @property
    def oldest_open(self) -> Record | None:
        """The first record in stream order that is not acknowledged."""
        return next((record for record in self._open.values() if record is not None), None)
