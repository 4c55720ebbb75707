"""Every saved query answers what counting line by line gives: over a few nasty lines, and over all real ones."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from services.console.sales import model, saved
from services.console.sales.model import Asked
from services.console.sales.sales import Sales
from services.kernel.adapters.duckdb import Bounds, DuckDB, Place
from tests import sales_lines
from tests.sales_answers import Answers
from tests.sales_lake import Line, SalesLake

TURN = {"first_day": "2010-12-31", "last_day": "2011-01-01"}
TURN_DAYS = (date(2010, 12, 31), date(2011, 1, 1))
Case = tuple[str, dict[str, str], dict[str, Any]]
NASTY: list[Case] = [
    (
        "course",
        _given,
        {**_given, "year": int(_given["year"]), "month": int(_given["month"]), "top": int(_given["top"])},
    )
    for _given in (
        {"country": "France", "year": "2010", "month": "12", "top": "10"},
        {"country": "United Kingdom", "year": "2011", "month": "3", "top": "10"},
        {"country": "United Kingdom", "year": "2011", "month": "4", "top": "2"},
        {"country": sales_lines.COUNTRY, "year": "2011", "month": "1", "top": "10"},
        {"country": "' OR 1 = 1 --", "year": "2011", "month": "1", "top": "10"},
    )
]
NASTY += [
    ("revenue_by_month_and_country", {}, {}),
    ("revenue_by_month_and_country", TURN, {"days": TURN_DAYS}),
    ("sales_by_week", {}, {}),
    ("sales_by_week", TURN, {"days": TURN_DAYS}),
    ("top_products", {"top": "3"}, {"top": 3}),
    ("top_products", TURN, {"top": 20, "days": TURN_DAYS}),
    ("most_returned", {}, {"top": 20}),
    ("return_rate", {"least_sold": "1"}, {"least_sold": 1, "top": 50}),
    ("return_rate", {"least_sold": "2", "top": "1"}, {"least_sold": 2, "top": 1}),
    ("cohort_retention", {}, {}),
    ("rfm_segments", {}, {}),
    ("basket_affinity", {"least_orders": "1"}, {"least_orders": 1, "most_articles": 100, "top": 50}),
    (
        "basket_affinity",
        {"least_orders": "2", "most_articles": "2"},
        {"least_orders": 2, "most_articles": 2, "top": 50},
    ),
]
REAL: list[Case] = [
    ("course", {}, {"country": "United Kingdom", "year": 2011, "month": 11, "top": 20}),
    ("revenue_by_month_and_country", {}, {}),
    ("sales_by_week", {}, {}),
    ("top_products", {"top": "100"}, {"top": 100}),
    ("most_returned", {"top": "100"}, {"top": 100}),
    ("return_rate", {"top": "200"}, {"least_sold": 100, "top": 200}),
    ("cohort_retention", {}, {}),
    ("rfm_segments", {}, {}),
    (
        "basket_affinity",
        {"least_orders": "300", "most_articles": "50", "top": "100"},
        {"least_orders": 300, "most_articles": 50, "top": 100},
    ),
]


def opened(lake: SalesLake) -> Any:
    place = Place(
        database=lake.database,
        warehouse=f"s3://{lake.bucket}/warehouse/",
        region="us-east-1",
        glue_endpoint=lake.url,
        s3_endpoint=lake.url,
    )
    return DuckDB.open(place, Bounds())


@pytest.fixture(scope="module")
async def sales(sales_lake: SalesLake) -> AsyncIterator[Sales]:
    async with opened(sales_lake) as engine:
        yield Sales(engine, timeout_s=60)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(sales_lines.nasty())


def test_every_saved_query_is_asked() -> None:
    assert {name for name, _, _ in NASTY} == {name for name, _, _ in REAL} == set(saved.queries())


@pytest.mark.parametrize(("name", "given", "expected"), NASTY)
async def test_over_nasty_lines(
    sales: Sales, answers: Answers, name: str, given: dict[str, str], expected: dict[str, Any]
) -> None:
    answer = await sales.saved(saved.queries()[name], given)
    assert not answer.truncated
    assert list(answer.rows) == getattr(answers, name)(**expected)


async def test_measures_by_dimensions_over_nasty_lines(sales: Sales) -> None:
    lines = sales_lines.nasty()
    orders: dict[str | None, set[tuple[str, str]]] = {}
    for line in lines:
        if line.kind == "sale":
            orders.setdefault(line.customer_id, set()).add(line.order)

    def segment(customer: str | None) -> str:
        count = len(orders.get(customer, ()))
        if customer is None:
            return "guest"
        return "loyal" if count >= 10 else "returning" if count >= 2 else "new"

    by: dict[str, Any] = {
        "day": lambda line: (line.day,),
        "month": lambda line: (line.day.replace(day=1),),
        "country": lambda line: (line.country,),
        "product": lambda line: (line.stock_code,),
        "customer_segment": lambda line: (segment(line.customer_id),),
    }
    assert set(by) == set(model.model().dimensions)
    for names in ([], *([name] for name in by), ["month", "country"], ["customer_segment", "product"]):
        asked = Asked(measures=list(model.model().measures), by=names)
        answer = await sales.by(asked)
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        groups: dict[Any, list[Line]] = {}
        for line in lines:
            key = (*(part for name in names for part in by[name](line)), line.currency)
            groups.setdefault(key, []).append(line)
        assert [tuple(row[name] for name in (*names, "currency")) for row in rows] == sorted(groups)
        for row, (_, theirs) in zip(rows, sorted(groups.items()), strict=True):
            assert {name: row[name] for name in asked.measures} == _measures(theirs)


def _measures(lines: list[Line]) -> dict[str, Any]:
    sold = [line for line in lines if line.kind == "sale"]
    count = len({line.order for line in sold})
    return {
        "orders": count,
        "lines": len(lines),
        "units": sum(line.quantity for line in lines),
        "revenue": sum(line.amount for line in lines),
        "returns": -sum(line.amount for line in lines if line.kind == "cancellation"),
        "customers": len({line.customer_id for line in sold if line.customer_id}),
        "basket": round(sum(line.amount for line in sold) / count, 4) if count else None,
    }


async def test_a_range_a_country_an_order_and_a_limit(sales: Sales) -> None:
    asked = Asked(
        measures=("revenue", "units"),
        by=("day", "country"),
        since=date(2010, 12, 31),
        until=date(2011, 3, 15),
        countries=("France", sales_lines.COUNTRY),
        sort="units",
        descending=True,
        limit=2,
    )
    answer = await sales.by(asked)
    assert answer.columns == ("day", "country", "currency", "revenue", "units")
    assert answer.truncated
    assert [(str(row[0]), row[1], row[4]) for row in answer.rows] == [
        ("2010-12-31", "France", 4),
        ("2011-01-01", "France", 2),
    ]


async def test_over_every_real_line(aws_endpoint: str) -> None:
    lines = await asyncio.to_thread(sales_lines.real)
    assert len(lines) == 541_909
    lake = SalesLake(aws_endpoint, f"t{uuid.uuid4().hex[:8]}-r")
    await asyncio.to_thread(lake.write, lines)
    answers = Answers(lines)
    async with opened(lake) as engine:
        sales = Sales(engine, timeout_s=120)
        for name, given, expected in REAL:
            answer = await sales.saved(saved.queries()[name], given)
            assert list(answer.rows) == getattr(answers, name)(**expected), name
        asked = Asked(measures=("lines", "revenue", "units"), by=())
        assert (await sales.by(asked)).rows == (
            ("GBP", 541_909, sum(line.amount for line in lines), sum(line.quantity for line in lines)),
        )
