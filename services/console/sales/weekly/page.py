"""The week's report as one HTML file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from html import escape

from services.console.charts.rendering import svg
from services.console.report import html, words
from services.console.report.html import Card, Document, Tile
from services.console.sales import output
from services.console.sales.weekly import charts
from services.console.sales.weekly.collected import Row, Totals, Weekly

_FOOTER = (
    "Revenue is the sum of all lines: sales less what came back, adjustments of the books included. Days are UTC, "
    "weeks from Monday to Sunday. Customers are those with an account. A cohort is the customers whose first order was "
    "in a month; its first cell is how many they are, the others what share of them ordered again so many months "
    "later, the last one of each perhaps of a month that was not over."
)


def page(weekly: Weekly) -> str:
    """Write the page; every text from the lake is escaped."""
    days = f"{weekly.week.monday} to {weekly.week.sunday}"
    currency = f" · {_escaped(weekly.currency)}" if weekly.currency else ""
    others = f" · not in this report: {_escaped(', '.join(weekly.others))}" if weekly.others else ""
    return html.written(
        Document(
            title=f"Sales, {weekly.week}",
            heading=f"Sales in {weekly.week}",
            subtitle=f"{days}{currency}{others} · made {words.moment(weekly.made_at_ms)} UTC",
            tiles=_tiles(weekly.totals, weekly.before),
            cards=_cards(weekly),
            footer=_FOOTER,
        )
    )


def change(now: Decimal | int, before: Decimal | int) -> str:
    """How much more or less, as per cent of what it was."""
    if before == 0:
        return "nothing the week before"
    percent = (100 * (Decimal(now) - before) / abs(Decimal(before))).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    return f"{percent:+,} % to week before"


def _escaped(text: str) -> str:
    return escape(words.printable(text))


def _tiles(now: Totals, before: Totals) -> list[Tile]:
    money = (("Revenue", "revenue"), ("Sold", "sold"), ("Came back", "returned"))
    counts = (("Orders", "orders"), ("Customers", "customers"), ("Pieces", "units"))
    shown = [
        (title, output.money(getattr(now, name).quantize(Decimal("0.01"), ROUND_HALF_EVEN)), name)
        for title, name in money
    ] + [(title, words.count(getattr(now, name)), name) for title, name in counts]
    return [
        Tile(title, text, change(getattr(now, name), getattr(before, name))) for title, text, name in shown
    ]


def _cards(weekly: Weekly) -> list[Card]:
    drawn = {name: svg(chart) for name, chart in charts.specifications(weekly).items()}
    weeks = [("week", "revenue"), *((str(week), output.money(amount)) for week, amount in weekly.weeks)]
    tables: list[tuple[str, str, str, Sequence[Sequence[str]]]] = [
        ("weeks", "Revenue by week", f"the last {len(weekly.weeks)} weeks, this one in blue", weeks),
        ("top", "Best sold articles", "by revenue of this week", _products(weekly.top, "revenue")),
        (
            "returned",
            "Most returned articles",
            "by what cancellations of this week took back",
            _products(weekly.returned, "returned"),
        ),
        ("countries", "Countries", "by revenue of this week", _countries(weekly.countries)),
        ("cohorts", "Who came back", "customers by the month of their first order", _cohorts(weekly.cohorts)),
    ]
    return [
        Card(name, title, note, drawn.get(name, ""), table, wide=True) for name, title, note, table in tables
    ]


def _products(rows: Sequence[Row], column: str) -> list[tuple[str, ...]]:
    body = [
        (
            words.printable(row["description"] or ""),
            words.printable(row["stock_code"]),
            words.count(row["units"]),
            output.money(row[column]),
        )
        for row in rows
    ]
    return [("article", "code", "pieces", column), *body]


def _countries(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    body = [
        (words.printable(row["country"]), words.count(row["orders"]), output.money(row["revenue"]))
        for row in rows
    ]
    return [("country", "orders", "revenue"), *body]


def _cohorts(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    body = [
        (charts.cohort(row), str(row["months_later"]), words.count(row["customers"]), charts.share(row))
        for row in rows
    ]
    return [("first order", "months later", "customers", "share"), *body]
