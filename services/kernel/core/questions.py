"""Questions to the lake in SQL: what an engine is asked, what it answers, and how it fails. Pure.

A question is written in the SQL of Amazon Athena (engine version 3, which is Trino's), whichever engine answers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from services.kernel.core.errors import CadabraError, TimedOut

Value = None | bool | int | float | Decimal | str | date | datetime
"""A cell: decimals exact, an instant without its zone, which is UTC; of any other type its text."""


@dataclass(frozen=True, slots=True)
class Question:
    """One statement that only reads.

    Args:
        statement: a SELECT, in Athena's dialect; tables without a database.
        tables: that it names.
    """

    statement: str
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, in the statement's order.

    Args:
        truncated: whether there are more than were asked for.
        scanned_bytes: what the engine read for it; None where it does not tell.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    truncated: bool
    scanned_bytes: int | None = None


class QuestionRefused(CadabraError):
    """The engine does not take the statement, or cannot work it out; asking again would not help."""


class TooMuch(QuestionRefused):
    """The question needs more than its bound of memory or of bytes to read."""


class TooSlow(TimedOut):
    """There was no answer in time, and the engine has been told to stop."""


class QuestionEngine(Protocol):
    """What answers questions; safe for concurrent calls."""

    async def ask(self, question: Question, *, max_rows: int, timeout_s: float) -> Answer:
        """Answer one question over the tables as they are now.

        Args:
            max_rows: that are fetched at most; at least 1.
            timeout_s: seconds, waiting for a turn included.

        Raises:
            QuestionRefused, TooMuch: a fault of the question.
            TooSlow: not answered in time; nothing goes on running.
            MissingResource: a table is not there.
            Retryable: the engine, or what it reads from, is away.
        """
        ...
