"""The report's charts: the specifications of `sales/charts/`, with their rows. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.resources import files
from typing import Any

from services.console.charts import label_width, ranking, theme
from services.console.charts.ranking import Row
from services.console.report import words
from services.console.sales import output
from services.console.sales.weekly.collected import Row as Found
from services.console.sales.weekly.collected import Weekly

_FOLDER = files("services.console.sales").joinpath("charts")
_THOUSANDTHS = 10_000
Specification = dict[str, Any]


def specifications(weekly: Weekly) -> dict[str, Specification]:
    """Every chart by its name; one without rows is left out."""
    made = {
        "weeks": _weeks(weekly),
        "top": _products(weekly.top, "revenue", theme.BARS),
        "returned": _products(weekly.returned, "returned", theme.NOT_FOUND_BARS),
        "countries": _countries(weekly.countries),
        "cohorts": _cohorts(weekly.cohorts),
    }
    return {name: chart for name, chart in made.items() if chart is not None}


def cohort(row: Found) -> str:
    """The name of a row's cohort."""
    return f"{row['cohort_year']}-{row['cohort_month']:02}"


def share(row: Found) -> str:
    """A row's retention as per cent."""
    return f"{100 * row['retention']:.0f} %"


def _weeks(weekly: Weekly) -> Specification | None:
    if not any(revenue for _, revenue in weekly.weeks):
        return None
    # Only the length of a bar is a float; the numbers beside it are exact.
    rows = [
        {
            "week": str(week)[5:],
            "revenue": float(revenue),
            "colour": theme.BARS if week == weekly.week else theme.CLASS_COLOURS["3xx"],
        }
        for week, revenue in weekly.weeks
    ]
    return _filled("revenue_by_week", rows)


def _products(rows: Sequence[Found], column: str, colour: str) -> Specification | None:
    bars = [
        Row(
            _label(f"{row['description'] or ''} ({row['stock_code']})", ranking.WIDE),
            _length(row[column]),
            f"{output.money(row[column])} · {_counted(row['units'], 'piece')}",
            colour,
        )
        for row in rows
    ]
    return ranking.specification(bars, ranking.WIDE) if bars else None


def _countries(rows: Sequence[Found]) -> Specification | None:
    bars = [
        Row(
            _label(row["country"], ranking.WIDE),
            _length(row["revenue"]),
            f"{output.money(row['revenue'])} · {_counted(row['orders'], 'order')}",
            theme.VISITOR_BARS,
        )
        for row in rows
    ]
    return ranking.specification(bars, ranking.WIDE) if bars else None


def _cohorts(rows: Sequence[Found]) -> Specification | None:
    cells = [
        {
            "cohort": cohort(row),
            "later": row["months_later"],
            "retention": row["retention"],
            "label": words.count(row["customers"]) if row["months_later"] == 0 else share(row),
        }
        for row in rows
    ]
    return _filled("cohorts", cells) if cells else None


def _filled(name: str, rows: Sequence[Mapping[str, Any]]) -> Specification:
    specification: Specification = json.loads(_FOLDER.joinpath(f"{name}.vl.json").read_text("utf-8"))
    return {**specification, "data": {"values": list(rows)}}


def _counted(number: int, what: str) -> str:
    return f"{words.count(number)} {what}{'' if number == 1 else 's'}"


def _length(amount: Decimal) -> int:
    """Of a bar; what is below zero has none."""
    return max(0, int(amount * _THOUSANDTHS))


def _label(text: str, width: int) -> str:
    return words.shortened(words.printable(text), ranking.label_room(width), label_width.pixels)
