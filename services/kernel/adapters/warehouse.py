"""What a warehouse of SQL promises, whichever engine it is: a list of statements in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kernel.core.errors import CadabraError

Value = str | int | float | bool | None
Row = tuple[Value, ...]
"""Values of a result; decimals and times come as text."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A query whose rows are wanted."""

    sql: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Fill a table from Parquet objects, whose columns are the table's, in its order.

    Args:
        table: its name, without quotes.
        bucket, prefix: every object whose key begins with the prefix.
    """

    table: str
    bucket: str
    prefix: str


Statement = str | Ask | Copy
"""A text is a statement whose rows, if any, nobody wants."""


class StatementFailed(CadabraError):
    """The engine refused a statement and rolled the whole transaction back.

    Args:
        index: which of the list, from 0.
        words: the engine's; they may quote a value.
    """

    def __init__(self, index: int, words: str) -> None:
        super().__init__(f"statement {index + 1}: {words}")
        self.index = index
        self.words = words


class Warehouse(Protocol):
    """One database. A transaction sees the warehouse as it was when its first statement after a LOCK began."""

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements in order, in one transaction and in a session of their own: temporary tables end with it.

        Returns:
            the rows of each `Ask`, in their order.

        Raises:
            StatementFailed: the engine refused one; nothing has changed.
            Throttled, Unavailable: nothing has changed, or all of it (a lost answer): look before repeating.
            TimedOut: the same.
            Misconfigured, MissingResource: no access, or no such database.
        """
        ...
