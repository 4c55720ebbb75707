"""What was sold, asked of the console: by measures and dimensions, by saved query, by SQL, and as a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.console.sales import saved
from tests import processes, sales_lines
from tests.browsers import opened_page
from tests.component.console.conftest import Console
from tests.component.console.reporting import command
from tests.conftest import SignToken
from tests.processes import ROOT
from tests.sales_answers import Answers

ROUTES = ("/v1/sales", "/v1/sales/model", "/v1/queries", "/v1/queries/course", "/v1/queries/nothing")
PICTURES = ROOT / ".local/pictures"


@pytest.mark.parametrize(("role", "status"), [("sender", 403), ("customer", 403), ("", 401)])
@pytest.mark.parametrize("route", ROUTES)
async def test_operators_and_analysts_alone(
    console: Console, sign_token: SignToken, route: str, role: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {sign_token(role, 'x')}"} if role else {}
    async with console.session.get(console.process.url + route, headers=headers) as answer:
        assert answer.status == status, await answer.text()


async def test_amounts_are_exact_texts_by_currency(console: Console) -> None:
    status, found, _ = await console.get("/v1/sales", measures="revenue,basket,orders", by="month")
    assert status == 200
    assert found["columns"] == ["month", "currency", "revenue", "basket", "orders"]
    assert found["rows"][0] == {
        "month": "2010-12-01",
        "currency": "GBP",
        "revenue": "7.6501",
        "basket": "7.6501",
        "orders": 1,
    }
    april = [row for row in found["rows"] if row["month"] == "2011-04-01"]
    assert [row["revenue"] for row in april] == ["199999999999999788237.9408"]
    assert {row["currency"] for row in found["rows"]} == {"EUR", "GBP"}


async def test_every_saved_query_is_served(console: Console) -> None:
    status, listed, _ = await console.get("/v1/queries")
    assert (status, [one["name"] for one in listed["queries"]]) == (200, list(saved.queries()))
    for name in saved.queries():
        status, found, _ = await console.get(f"/v1/queries/{name}")
        assert (status, found["name"], found["truncated"]) == (200, name, False)
    asked = {"country": sales_lines.COUNTRY, "year": "2011", "month": "1"}
    _, found, _ = await console.get("/v1/queries/course", **asked)
    assert found["rows"] == [{"description": "a thing A", "lines": 1}]


@pytest.mark.parametrize(
    ("route", "parameters", "name"),
    [
        ("/v1/sales", {"measures": "revenue,profit"}, "measures"),
        ("/v1/sales", {"measures": ""}, "measures"),
        ("/v1/sales", {"by": "month,month"}, "by"),
        ("/v1/sales", {"by": "f.source"}, "by"),
        ("/v1/sales", {"from": "2011-02-30"}, "from"),
        ("/v1/sales", {"from": "2011-02-01", "to": "2011-02-01"}, "from"),
        ("/v1/sales", {"limit": "10001"}, "limit"),
        ("/v1/sales", {"country": "x" * 65}, "country"),
        ("/v1/sales", {"sort": "lines"}, "sort"),
        ("/v1/sales", {"measures": "basket", "sort": "basket"}, "sort"),
        ("/v1/sales", {"sql": "SELECT 1"}, "sql"),
        ("/v1/queries", {"limit": "1"}, "limit"),
        ("/v1/queries/course", {"year": "20x"}, "year"),
        ("/v1/queries/course", {"month": "13"}, "month"),
        ("/v1/queries/course", {"first_day": "2011-01-01"}, "first_day"),
        ("/v1/queries/sales_by_week", {"first_day": "yesterday"}, "first_day"),
    ],
)
async def test_what_is_not_taken_is_refused_by_name(
    console: Console, route: str, parameters: dict[str, str], name: str
) -> None:
    status, document, _ = await console.get(route, **parameters)
    assert (status, document["error"]["code"]) == (400, "invalid_parameter")
    assert document["error"]["details"][0]["pointer"] == f"/{name}"


async def test_a_query_that_is_not_there(console: Console) -> None:
    status, document, _ = await console.get("/v1/queries/nothing", limit="1")
    assert (status, document["error"]["code"]) == (404, "unknown_query")


async def test_slow_and_missing_are_answered_and_counted(console: Console, tmp_path: Path) -> None:
    slow = {**console.environment, "CADABRA_QUESTION_TIMEOUT_S": "0.05"}
    empty = {**console.environment, "CADABRA_NAMESPACE": "nobody"}
    for environment, status, code, reason in (
        (slow, 504, "too_slow", "too_slow"),
        (empty, 503, "unavailable", "missing"),
    ):
        process = await processes.start("console", tmp_path, environment)
        try:
            other = Console(process, console.session, console.headers, environment, console.namespace)
            found, document, headers = await other.get("/v1/queries/basket_affinity")
            assert (found, document["error"]["code"]) == (status, code)
            assert ("Retry-After" in headers) == (status == 503)
            metrics = await process.metrics()
            labels = f'reason="{reason}",what="basket_affinity"'
            assert metrics[f"cadabra_console_failed_questions_total{{{labels}}}"] == 1
            assert metrics['cadabra_console_question_seconds_count{what="basket_affinity"}'] == 1
            assert await process.is_ready()
        finally:
            process.kill9()


async def test_the_command_prints_exact_answers(console: Console) -> None:
    expected = Answers(sales_lines.nasty()).top_products(2)
    code, text, complained = await command(
        console, ("query", "top_products", "--param", "top=2", "--format", "json")
    )
    assert (code, complained) == (0, "")
    assert [row["revenue"] for row in json.loads(text)["rows"]] == [str(row[6]) for row in expected]


async def test_the_command_takes_sql_and_shows_no_more_than_asked_for(console: Console) -> None:
    sql = "SELECT description AS d FROM sales.order_lines ORDER BY stock_code DESC, line_id"
    code, table, complained = await command(console, ("query", "--sql", sql, "--max-rows", "40"))
    assert (code, complained) == (0, "only the first 40 rows are shown\n")
    assert "\x1b" not in table
    assert '<script>alert("1")</script> \\u001b[31m' in table
    assert table.splitlines()[-1] == "(40 rows, and there are more)"


async def test_a_lake_that_is_not_there_is_a_failure_with_a_reason(console: Console) -> None:
    code, _, complained = await command(console, ("weekly-report",), CADABRA_NAMESPACE="nobody")
    assert code == 1
    assert complained.startswith("MissingResource: ")


async def test_the_weeks_report_of_the_last_full_week_in_a_browser(console: Console, tmp_path: Path) -> None:
    code, printed, complained = await command(
        console, ("weekly-report", "--folder", str(tmp_path), "--charts", str(tmp_path / "charts"))
    )
    assert (code, complained) == (0, "")
    file = tmp_path / "2011-W20.html"  # the data ends on 28 May 2011, a Saturday
    assert printed == f"{file}\n"
    drawn = {path.name for path in (tmp_path / "charts").iterdir()}
    assert drawn == {
        f"{name}.{kind}"
        for name in ("weeks", "top", "returned", "countries", "cohorts")
        for kind in ("svg", "png")
    }
    weeks = {row[:3]: row for row in Answers(sales_lines.nasty()).sales_by_week()}
    week = weeks[2011, 20, "GBP"]
    async with opened_page(1180) as page:
        await page.goto(file.as_uri())
        tiles = await page.locator(".tiles dd:not(.note)").all_text_contents()
        assert [re.sub(",", "", text) for text in tiles] == [
            *(f"{amount:.2f}" for amount in (week[8], week[6], week[7])),
            *map(str, week[3:6]),
        ]
        bars = page.locator('#weeks path[aria-roledescription="bar"]')
        assert await bars.count() == 27
        cells = page.locator("#cohorts path[aria-roledescription='rect mark']")
        assert await cells.count() == len(Answers(sales_lines.nasty()).cohort_retention())
        PICTURES.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=PICTURES / "weekly-report.png", full_page=True)


async def test_a_week_with_hostile_texts_shows_them_as_texts(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "week.html"
    code, _, _ = await command(console, ("weekly-report", "--week", "2011-W13", "--out", str(file)))
    assert code == 0
    text = file.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(" in text
    async with opened_page(1180) as page:
        await page.goto(file.as_uri())
        await page.locator("#top summary").click()
        shown = await page.locator("#top table").text_content()
        assert '<script>alert("1")</script>' in (shown or "")
