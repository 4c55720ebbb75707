"""What a command shows: a value for machines, lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shown:
    """The result of a command.

    Args:
        value: what `--json` prints.
        lines: what people read.
        problem: what was not done; the command fails with it after printing.
    """

    value: Any
    lines: Sequence[str]
    problem: str | None = None


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table whose columns are as wide as their widest cell; None shows as a dash."""
    cells = [list(titles), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
