"""Answers for people and for machines: a table, CSV, JSON. Pure. Decimals are exact in all of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.console.report import words
from services.kernel.core.questions import Answer, Value

MAX_CELLS = 60
"""The width of a column of the table; longer texts are cut in their middle."""
_NOTHING = "-"


def cell(value: Value) -> Any:
    """A value as JSON has it: decimals and times as texts, so that none of them is rounded."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return value.isoformat() if isinstance(value, date) else value


def rows(answer: Answer) -> list[dict[str, Any]]:
    """One object a row."""
    return [dict(zip(answer.columns, map(cell, row), strict=True)) for row in answer.rows]


def document(answer: Answer) -> dict[str, Any]:
    """The answer as a JSON document."""
    return {"columns": list(answer.columns), "rows": rows(answer), "truncated": answer.truncated}


def as_json(answer: Answer) -> str:
    """The document's text."""
    return json.dumps(document(answer), ensure_ascii=False, indent=1) + "\n"


def as_csv(answer: Answer) -> str:
    """RFC 4180 with a head; null is an empty field, and so is an empty text."""
    written = io.StringIO()
    out = csv.writer(written)
    out.writerow(answer.columns)
    out.writerows([_plain(value, "") for value in row] for row in answer.rows)
    return written.getvalue()


def as_table(answer: Answer) -> str:
    """Columns for a terminal, numbers on the right; nothing in them can steer it."""
    texts = [[_shown(value) for value in row] for row in answer.rows]
    heads = [words.shortened(words.printable(name), MAX_CELLS, words.width) for name in answer.columns]
    widths = [max(map(words.width, column)) for column in zip(heads, *texts, strict=True)]
    right = [
        any(isinstance(row[place], int | float | Decimal) for row in answer.rows)
        for place in range(len(heads))
    ]
    lines = [_line(heads, widths, right), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, right) for row in texts]
    count = f"{len(texts):,} row{'' if len(texts) == 1 else 's'}"
    lines.append(f"({count}{', and there are more' if answer.truncated else ''})")
    return "\n".join(line.rstrip() for line in lines) + "\n"


FORMATS: Mapping[str, Callable[[Answer], str]] = {"table": as_table, "csv": as_csv, "json": as_json}


def money(value: Decimal) -> str:
    """An amount with commas, exact, with at least two digits behind the point."""
    whole, _, digits = f"{value:,f}".partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def _shown(value: Value) -> str:
    text = money(value) if isinstance(value, Decimal) else _plain(value, _NOTHING)
    return words.shortened(words.printable(text), MAX_CELLS, words.width)


def _plain(value: Value, nothing: str) -> str:
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(cell(value))


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = []
    for text, width, is_right in zip(row, widths, right, strict=True):
        blank = " " * (width - words.width(text))
        cells.append(blank + text if is_right else text + blank)
    return "  ".join(cells)
