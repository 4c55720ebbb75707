"""The lease table of a simulation: rows, and conditional writes in DynamoDB's words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from services.kernel.adapters.dynamodb import ConditionFailed

Row = Mapping[str, Any]


def holds(condition: str, row: Row, values: Mapping[str, Any]) -> bool:
    """Whether a row meets a condition."""
    for name, wanted in _terms(condition):
        if isinstance(wanted, bool):
            if (name in row) is not wanted:
                return False
        elif row.get(name) != values[wanted]:
            return False
    return True


def updated(row: Row, update: str, names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The row as an update makes it; the one before stays as it is, for whoever still reads it."""
    sets, removes = _assignments(update)
    new = dict(row)
    for name, value in sets:
        new[names.get(name, name)] = values[value]
    for name in removes:
        new.pop(names.get(name, name), None)
    return new


def require(condition: str, row: Row | None, values: Mapping[str, Any], give_old: bool = False) -> Row:
    """The row, if there is one that meets the condition.

    Raises:
        ConditionFailed: there is none; with the row if that was asked for.
    """
    if row is None or not holds(condition, row, values):
        raise ConditionFailed(condition, dict(row) if row is not None and give_old else None)
    return row


@lru_cache
def _terms(condition: str) -> list[tuple[str, str | bool]]:
    """Each attribute with the name of the value that it has to have, or with whether it has to be there."""
    terms: list[tuple[str, str | bool]] = []
    for part in condition.split(" AND "):
        if part.startswith("attribute_not_exists("):
            terms.append((part[21:-1], False))
        elif part.startswith("attribute_exists("):
            terms.append((part[17:-1], True))
        else:
            name, _, value = part.split(" ")
            terms.append((name, value))
    return terms


@lru_cache
def _assignments(update: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What an update sets, with the names of the values, and what it removes."""
    head, _, removes = update.partition("REMOVE ")
    sets = [part.split(" = ") for part in head.removeprefix("SET ").strip().split(", ") if part]
    return [(name, value) for name, value in sets], removes.split(", ") if removes else []
