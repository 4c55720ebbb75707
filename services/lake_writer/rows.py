"""Records on their way into columns: decoded one by one, turned into Arrow some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa

from services.kernel.streams.records import Record

T = TypeVar("T")

FLUSH_ROWS = 4_096
"""Rows that wait as Python objects, which take several times the room of the record's bytes, a shard."""


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """One record, read by its contract.

    Args:
        rows: how many it becomes.
        unknown: for each row, what the record has that the contract does not name, as JSON; None where it has nothing.
    """

    record: Record
    value: T
    rows: int
    unknown: Sequence[str | None] | None = None


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """How the records of one stream become the rows of one landing.

    Args:
        decode: reads a record, or raises InvalidRecord.
        batch: makes rows of decoded records, in order, with the columns of `schema`.
    """

    schema: pa.Schema
    decode: Callable[[Record], Decoded[T]]
    batch: Callable[[Sequence[Decoded[T]]], pa.RecordBatch]


class NotConvertible(Exception):
    """A record that holds its contract cannot be made into rows: a bug of ours; `__cause__` says what."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.shard_id}:{record.sequence_number}.{record.sub_sequence}")
        self.record = record


class Columns(Generic[T]):
    """The rows of one object while it grows."""

    def __init__(self, form: Format[T]) -> None:
        self._form = form
        self._waiting: list[Decoded[T]] = []
        self._waiting_rows = 0
        self._batches: list[pa.RecordBatch] = []

    def add(self, decoded: Decoded[T]) -> None:
        """Take a record's rows on, behind all others.

        Raises:
            NotConvertible: it, or one before it.
        """
        self._waiting.append(decoded)
        self._waiting_rows += decoded.rows
        if self._waiting_rows >= FLUSH_ROWS:
            self._flush()

    def table(self) -> pa.Table:
        """All rows, in the order in which they came.

        Raises:
            NotConvertible: one record cannot be made into rows.
        """
        if self._waiting:
            self._flush()
        return pa.Table.from_batches(self._batches, self._form.schema)

    def _flush(self) -> None:
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        try:
            self._batches.append(self._form.batch(waiting))
        except Exception:
            self._blame(waiting)
            raise

    def _blame(self, waiting: Sequence[Decoded[T]]) -> None:
        """Find the record that it was, so that no other one pays for it."""
        for decoded in waiting:
            try:
                self._form.batch([decoded])
            except Exception as error:
                raise NotConvertible(decoded.record) from error
