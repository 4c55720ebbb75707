"""The records of a version on local disk, in order of subject: lists lie in S3 in no order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import TracebackType

Record = tuple[str, bytes]
"""A subject, and its record in JSON."""


class Spool:
    """A temporary file of records, for the length of a `with`; one thread's."""

    def __init__(self) -> None:
        # An empty name is a file of SQLite's own that nobody else can open and that goes with the connection.
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE records (subject TEXT NOT NULL, body BLOB NOT NULL)")
        self._file.execute("BEGIN")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, subject: str, body: bytes) -> None:
        """Take a record in; two of one subject are two."""
        self._file.execute("INSERT INTO records VALUES (?, ?)", (subject, body))

    def sort(self) -> None:
        """End taking in: from now on reading is quick."""
        self._file.execute("CREATE INDEX by_subject ON records (subject)")

    def __iter__(self) -> Iterator[Record]:
        """Every record in order of subject, by code points (SQLite compares the bytes of UTF-8)."""
        yield from self._file.execute("SELECT subject, body FROM records ORDER BY subject")
