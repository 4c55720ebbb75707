"""Saved queries: their heads, their parameters, and their SQL in both dialects."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from services.console.sales import saved, statement
from services.console.sales.saved import Parameter, SavedQuery
from services.kernel.core.http_parameters import InvalidParameter

QUERIES = saved.queries()
YEAR = Parameter(name="year", type="integer", description="", default="2011", minimum=1, maximum=9999)
TEXT = Parameter(name="country", type="text", description="", max_length=3)
DAY = Parameter(name="day", type="date", description="")


def test_there_are_the_ones_that_were_asked_for() -> None:
    assert set(QUERIES) == {
        *("course", "revenue_by_month_and_country", "cohort_retention", "rfm_segments", "basket_affinity"),
        *("return_rate", "sales_by_week", "top_products", "most_returned"),
    }


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_it_is_athenas_sql_and_reads_the_same_when_written_anew(query: SavedQuery) -> None:
    tree = sqlglot.parse_one(query.sql, dialect="trino")
    written = tree.sql(dialect="trino")
    assert sqlglot.parse_one(written, dialect="trino") == tree
    question = query.asked({})
    assert question.tables
    again = sqlglot.transpile(question.statement, read="trino", write="trino")
    assert again == [question.statement]
    sqlglot.parse_one(
        sqlglot.transpile(question.statement, read="trino", write="duckdb")[0], dialect="duckdb"
    )


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_it_uses_every_parameter_and_describes_itself(query: SavedQuery) -> None:
    named = {one.name for one in sqlglot.parse_one(query.sql, dialect="trino").find_all(exp.Placeholder)}
    assert named == {one.name for one in query.parameters}
    assert query.title
    assert query.description.endswith(".")
    assert all(one.description.endswith(".") for one in query.parameters)


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_its_order_is_whole_and_no_money_becomes_a_float(query: SavedQuery) -> None:
    """Quotients are of counts that are made doubles by name: engines differ in what they make of decimals."""
    tree = sqlglot.parse_one(query.sql, dialect="trino")
    assert tree.args.get("order") is not None
    assert not list(tree.find_all(exp.Avg))
    for cast in tree.find_all(exp.Cast):
        assert not {column.name for column in cast.find_all(exp.Column)} & {
            "amount",
            "unit_price",
            "revenue",
            "sold",
        }
    for quotient in tree.find_all(exp.Div):
        for side in (quotient.this, quotient.expression):
            assert side.find(exp.Cast) is not None


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        (YEAR, "1", 1),
        (YEAR, "9999", 9999),
        (TEXT, "", ""),
        (TEXT, "Éi'", "Éi'"),
        (DAY, "2012-02-29", date(2012, 2, 29)),
    ],
)
def test_a_value_within_its_bounds_is_read(parameter: Parameter, text: str, expected: object) -> None:
    assert parameter.value(text) == expected


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        *((YEAR, text) for text in ("0", "10000", "-1", "1.5", "", " 1", "1e3", "\u0663", "1" * 5_000)),
        *((TEXT, text) for text in ("four", "a\n", "\x00", "\x1b[")),
        *(
            (DAY, text)
            for text in (
                "2011-02-29",
                "2011-1-1",
                "20110101",
                "",
                "\u0662\u0660\u0661\u0661-\u0660\u0661-\u0660\u0661",
                "2011-01-01T00:00",
            )
        ),
    ],
)
def test_a_value_beyond_its_bounds_is_refused_by_name(parameter: Parameter, text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parameter.value(text)
    assert (refused.value.name, refused.value.reason) == (parameter.name, parameter.expected)


def test_a_parameter_is_known_and_given_where_it_has_no_default() -> None:
    query = SavedQuery(
        "x", "", "", (YEAR, TEXT), "SELECT * FROM dim_date WHERE year = :year AND 'x' = :country"
    )
    with pytest.raises(InvalidParameter, match="country"):
        query.asked({})
    with pytest.raises(InvalidParameter, match="month"):
        query.asked({"country": "x", "month": "1"})
    assert "year = 2011" in query.asked({"country": "x"}).statement


HEAD = {"title": "t", "description": "d"}


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "/*\ntitle = 1\n*/\nSELECT 1", '/*\ntitle = "t"\ndescription = "d"\n*/'],
)
def test_a_file_without_a_head_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        saved.parse("x", text)


def test_a_default_beyond_its_own_bounds_is_refused() -> None:
    stated: Any = (
        'title = "t"\ndescription = "d"\n[parameters.year]\ntype = "integer"\ndescription = "y"\ndefault = 3'
    )
    with pytest.raises(InvalidParameter):
        saved.parse("x", f"/*\n{stated}\nminimum = 4\nmaximum = 5\n*/\nSELECT :year")


def test_names_of_parameters_are_no_words_of_sql() -> None:
    names = {one.name for query in QUERIES.values() for one in query.parameters}
    for name in names:
        assert statement.checked(f"SELECT :{name} AS x", {name: 1}).statement == "SELECT 1 AS x"
