"""The semantic layer: measures by dimensions, as one statement. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from services.console.sales import statement
from services.kernel.core.questions import Answer, Question, Value

_FILE = Path(__file__).with_name("model.toml")
CURRENCY = "currency"
"""The column that every answer has."""
_CENT = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is counted or summed.

    Args:
        sql: an aggregate over the lines.
        divided_by: the measure that it is divided by, exactly and not by the engine; None for what stands alone.
        joins: that it needs.
    """

    description: str
    unit: str
    sql: str
    divided_by: str | None = None
    joins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """What it is counted by.

    Args:
        columns: SQL by the column's name; the first one is the dimension, others tell of it.
        joins: that they need.
    """

    description: str
    columns: Mapping[str, str]
    joins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Every word, by its name; joins in the order in which they may stand."""

    measures: Mapping[str, Measure]
    dimensions: Mapping[str, Dimension]
    joins: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """The words, for those who want to ask by them."""
        return {
            "measures": [
                {"name": name, "description": one.description, "unit": one.unit}
                for name, one in self.measures.items()
            ],
            "dimensions": [
                {"name": name, "description": one.description, "columns": list(one.columns)}
                for name, one in self.dimensions.items()
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted; every name is the model's.

    Args:
        measures: at least one, each once.
        by: dimensions, each once.
        since: first day, None for all before.
        until: first day that no longer counts, None for all after.
        countries: only these; empty for all.
        sort: a measure or a dimension to sort by, largest first where `descending`; None for the dimensions in order.
        limit: rows that are wanted at most.
    """

    measures: Sequence[str]
    by: Sequence[str] = ()
    since: date | None = None
    until: date | None = None
    countries: Sequence[str] = ()
    sort: str | None = None
    descending: bool = False
    limit: int = 1_000


@dataclass(frozen=True, slots=True)
class _Parts:
    columns: list[str] = field(default_factory=list)
    grouped: list[str] = field(default_factory=list)
    joins: set[str] = field(default_factory=set)


@cache
def model() -> Model:
    """The words of `model.toml`."""
    stated = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return Model(
        measures={name: Measure(**_with_joins(one)) for name, one in stated["measures"].items()},
        dimensions={name: Dimension(**_with_joins(one)) for name, one in stated["dimensions"].items()},
        joins=stated["joins"],
    )


def question(asked: Asked, words: Model | None = None) -> Question:
    """The statement that answers it; rows in an order without ties.

    A measure that is divided by another one comes as two columns, which `finished` makes one.
    """
    known = words or model()
    parts = _Parts()
    for name in asked.by:
        dimension = known.dimensions[name]
        parts.columns.extend(f"{sql} AS {column}" for column, sql in dimension.columns.items())
        parts.grouped.extend(dimension.columns.values())
        parts.joins.update(dimension.joins)
    parts.columns.append(f"f.{CURRENCY} AS {CURRENCY}")
    parts.grouped.append(f"f.{CURRENCY}")
    for name in asked.measures:
        measure = known.measures[name]
        parts.columns.append(f"{measure.sql} AS {name}")
        parts.joins.update(measure.joins)
        if measure.divided_by is not None:
            parts.columns.append(f"{known.measures[measure.divided_by].sql} AS {_divisor(name)}")
    conditions, values = _conditions(asked, parts.joins)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    joined = " ".join(sql for name, sql in known.joins.items() if name in parts.joins)
    text = (
        f"SELECT {', '.join(parts.columns)} FROM fact_order_lines AS f {joined}{where} "  # noqa: S608 - the model's
        f"GROUP BY {', '.join(parts.grouped)} ORDER BY {', '.join(_order(asked, known, parts.grouped))} "
        "LIMIT :enough"
    )
    # One more than wanted tells whether there are more.
    return statement.checked(text, {**values, "enough": asked.limit + 1})


def finished(asked: Asked, answer: Answer, words: Model | None = None) -> Answer:
    """The answer with quotients in the place of their parts."""
    known = words or model()
    divided = {name: _divisor(name) for name in asked.measures if known.measures[name].divided_by is not None}
    kept = [name for name in answer.columns if name not in divided.values()]
    rows = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
    return Answer(
        tuple(kept),
        tuple(tuple(_cell(row, name, divided) for name in kept) for row in rows),
        answer.truncated,
        answer.scanned_bytes,
    )


def _cell(row: Mapping[str, Value], name: str, divided: Mapping[str, str]) -> Value:
    value = row[name]
    if name not in divided:
        return value
    count = row[divided[name]]
    if not isinstance(value, Decimal) or not isinstance(count, int) or count == 0:
        return None
    return (value / count).quantize(_CENT, ROUND_HALF_EVEN)


def _conditions(asked: Asked, joins: set[str]) -> tuple[list[str], dict[str, int | str | date]]:
    conditions: list[str] = []
    values: dict[str, int | str | date] = {}
    for name, operator, day in (("since", ">=", asked.since), ("until", "<", asked.until)):
        if day is not None:
            conditions.append(f"f.date_key {operator} :{name}")
            values[name] = day.year * 10_000 + day.month * 100 + day.day
    if asked.countries:
        joins.add("country")
        names = {f"country_{place}": text for place, text in enumerate(asked.countries)}
        conditions.append(f"country.country IN ({', '.join(f':{name}' for name in names)})")
        values.update(names)
    return conditions, values


def _order(asked: Asked, known: Model, grouped: Iterable[str]) -> list[str]:
    if asked.sort is None:
        return list(grouped)
    dimension = known.dimensions.get(asked.sort)
    column = next(iter(dimension.columns)) if dimension is not None else asked.sort
    return [f"{column}{' DESC' if asked.descending else ''}", *grouped]


def _divisor(name: str) -> str:
    return f"{name}_divisor"


def _with_joins(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {**stated, "joins": tuple(stated.get("joins", ()))}
