"""Months as bounds of a query, so that only their files are scanned. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

_INSTANT = "%Y-%m-%d %H:%M:%S+00:00"
_YEAR = 12


def number(at: datetime) -> int:
    """Months since the year 0, of an instant in UTC."""
    return at.year * _YEAR + at.month - 1


def number_of(column: str) -> str:
    """SQL of the same, of a column of instants in a session whose zone is UTC."""
    return f"(year({column}) * {_YEAR} + month({column}) - 1)"


def condition(column: str, months: Iterable[int]) -> str:
    """SQL that holds for the rows of these months alone; neighbours share one pair of bounds.

    Args:
        column: of instants, as the SQL names it.
        months: numbers as `number` gives them; without any the condition never holds.
    """
    spans: list[list[int]] = []
    for month in sorted(set(months)):
        if spans and spans[-1][1] == month:
            spans[-1][1] = month + 1
        else:
            spans.append([month, month + 1])
    ranges = [
        f"({column} >= TIMESTAMP '{_begin(first)}' AND {column} < TIMESTAMP '{_begin(end)}')"
        for first, end in spans
    ]
    return f"({' OR '.join(ranges)})" if ranges else "FALSE"


def _begin(month: int) -> str:
    year, place = divmod(month, _YEAR)
    return datetime(year, place + 1, 1, tzinfo=UTC).strftime(_INSTANT)
