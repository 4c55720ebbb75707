"""What the week's report tells, asked of the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.console.sales import saved, statement
from services.console.sales.model import Asked
from services.console.sales.sales import Sales
from services.console.sales.weekly.week import Week
from services.kernel.core.errors import CadabraError
from services.kernel.core.questions import Answer

WEEKS = 27
"""That are shown, the report's own last."""
TOP = 10
COHORTS = 13
_LAST_DAY = "SELECT max(d.day) AS last_day FROM dim_date AS d"
_MOST_COUNTRIES = 1_000
Row = Mapping[str, Any]


class NothingSold(CadabraError):
    """There is no day in the lake to report on."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A week in numbers; money in the report's currency."""

    orders: int = 0
    customers: int = 0
    units: int = 0
    sold: Decimal = Decimal(0)
    returned: Decimal = Decimal(0)
    revenue: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """Everything that is shown.

    Args:
        currency: of all money in it, "" where nothing was sold.
        others: currencies of the same week that are not in it.
        weeks: revenue of WEEKS weeks in order, zero where there was none.
        top, returned: rows of the saved queries top_products and most_returned.
        countries: rows with `country`, `revenue` and `orders`, most revenue first.
        cohorts: rows of the saved query cohort_retention, of the last COHORTS months.
        made_at_ms: milliseconds since the epoch.
    """

    week: Week
    currency: str
    others: Sequence[str]
    totals: Totals
    before: Totals
    weeks: Sequence[tuple[Week, Decimal]]
    top: Sequence[Row] = field(default_factory=list)
    returned: Sequence[Row] = field(default_factory=list)
    countries: Sequence[Row] = field(default_factory=list)
    cohorts: Sequence[Row] = field(default_factory=list)
    made_at_ms: int = 0


async def collect(sales: Sales, week: Week | None, currency: str | None, now_ms: int) -> Weekly:
    """Ask for everything, one question after another.

    Args:
        week: None for the last one that is over in the lake's own days.
        currency: None for the one with most orders in the week.

    Raises:
        NothingSold: the lake has no day.
        QuestionRefused, TooSlow, MissingResource, Retryable: as `QuestionEngine.ask`.
    """
    shown = week or Week.last_full(await _last_day(sales))
    within = {"first_day": shown.monday.isoformat(), "last_day": shown.sunday.isoformat()}
    by_week = await _saved(
        sales, "sales_by_week", {**within, "first_day": shown.later(1 - WEEKS).monday.isoformat()}
    )
    of_week = [row for row in by_week if Week.of(row["iso_year"], row["iso_week"]) == shown]
    ranked = sorted(of_week, key=lambda row: (-row["orders"], row["currency"]))
    chosen = currency or (ranked[0]["currency"] if ranked else "")
    mine = {
        Week.of(row["iso_year"], row["iso_week"]): _totals(row)
        for row in by_week
        if row["currency"] == chosen
    }
    listed = {**within, "top": str(TOP)}
    return Weekly(
        week=shown,
        currency=chosen,
        others=sorted(row["currency"] for row in of_week if row["currency"] != chosen),
        totals=mine.get(shown, Totals()),
        before=mine.get(shown.later(-1), Totals()),
        weeks=[
            (one, mine.get(one, Totals()).revenue)
            for one in (shown.later(offset) for offset in range(1 - WEEKS, 1))
        ],
        top=_of(chosen, await _saved(sales, "top_products", listed)),
        returned=_of(chosen, await _saved(sales, "most_returned", listed)),
        countries=_of(chosen, await _countries(sales, shown))[:TOP],
        cohorts=_latest(await _saved(sales, "cohort_retention", {"last_day": shown.sunday.isoformat()})),
        made_at_ms=now_ms,
    )


async def _last_day(sales: Sales) -> date:
    answer = await sales.sql(statement.checked(_LAST_DAY))
    (found,) = answer.rows[0]
    if not isinstance(found, date):
        raise NothingSold("the lake has no day yet: nothing was loaded")
    return found


async def _saved(sales: Sales, name: str, given: dict[str, str]) -> list[Row]:
    return _rows(await sales.saved(saved.queries()[name], given))


async def _countries(sales: Sales, week: Week) -> list[Row]:
    asked = Asked(
        measures=("revenue", "orders"),
        by=("country",),
        since=week.monday,
        until=week.sunday + timedelta(1),
        sort="revenue",
        descending=True,
        limit=_MOST_COUNTRIES,
    )
    return _rows(await sales.by(asked))


def _rows(answer: Answer) -> list[Row]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _of(currency: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["currency"] == currency]


def _totals(row: Row) -> Totals:
    return Totals(**{name: row[name] for name in Totals.__dataclass_fields__})


def _latest(rows: Sequence[Row]) -> list[Row]:
    months = sorted({(row["cohort_year"], row["cohort_month"]) for row in rows})[-COHORTS:]
    return [row for row in rows if (row["cohort_year"], row["cohort_month"]) in months]
