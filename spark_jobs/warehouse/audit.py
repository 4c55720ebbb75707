"""What an audit says of rows that may not be published. Pure."""

from __future__ import annotations

from dataclasses import dataclass

ROWS_SHOWN = 10
"""Rows that a fault names; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A check that a table does not pass.

    Args:
        check: what should hold, in a few words.
        table: logical name, as in `contracts/lake/`.
        count: of the rows that are at fault.
        rows: at most `ROWS_SHOWN` of them, each in words that find it again.
    """

    check: str
    table: str
    count: int
    rows: list[str]

    def __str__(self) -> str:
        shown = "; ".join(self.rows)
        return f"{self.table}: {self.check}: {self.count}" + (f" ({shown})" if shown else "")
