"""Measures by dimensions: what is asked, what statement it is, and exact quotients."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from services.console.sales import model, requests, statement
from services.console.sales.model import Asked
from services.kernel.core.questions import Answer

WORDS = model.model()


def test_the_words_are_those_that_were_asked_for() -> None:
    assert set(WORDS.measures) == {
        *("orders", "lines", "units", "revenue", "returns", "customers", "basket"),
    }
    assert set(WORDS.dimensions) == {"day", "month", "country", "product", "customer_segment"}
    document = WORDS.document()
    assert all(one["description"].endswith(".") and one["unit"] for one in document["measures"])
    assert all(one["description"].endswith(".") for one in document["dimensions"])


@pytest.mark.parametrize(
    "by", [by for n in (0, 1, 2, 5) for by in itertools.combinations(WORDS.dimensions, n)]
)
def test_every_combination_is_a_statement_of_athena_and_of_duckdb(by: tuple[str, ...]) -> None:
    for measures in (["revenue"], list(WORDS.measures)):
        question = model.question(
            Asked(measures=measures, by=by, since=date(2011, 1, 1), countries=["France"])
        )
        assert statement.checked(question.statement) == question
        assert sqlglot.transpile(question.statement, read="trino", write="duckdb")
        assert ("dim_product" in question.tables) == ("product" in by)


@given(st.text(max_size=64), st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_whatever_the_country_it_is_a_text(country: str, day: date) -> None:
    asked = Asked(measures=["revenue"], countries=[country], since=day)
    tree = sqlglot.parse_one(model.question(asked).statement, dialect="trino")
    (found,) = tree.find(sqlglot.exp.In).expressions  # type: ignore[union-attr]
    assert (found.is_string, found.this) == (True, country)
    bound = tree.find(sqlglot.exp.GTE)
    assert bound is not None
    assert int(bound.expression.this) == day.year * 10_000 + day.month * 100 + day.day


def test_a_quotient_is_exact_and_null_without_a_divisor() -> None:
    asked = Asked(measures=["basket", "orders"])
    rows: Any = (
        ("GBP", Decimal("200000000000000000006.6503"), 3, 3),
        ("EUR", Decimal("0.0001"), 2, 2),
        ("USD", Decimal("-5.0000"), 0, 0),
        ("CHF", None, 0, 0),
    )
    answer = Answer(("currency", "basket", "basket_divisor", "orders"), rows, truncated=True, scanned_bytes=5)
    assert model.finished(asked, answer) == Answer(
        ("currency", "basket", "orders"),
        (
            ("GBP", Decimal("66666666666666666668.8834"), 3),
            ("EUR", Decimal("0.0000"), 2),
            ("USD", None, 0),
            ("CHF", None, 0),
        ),
        truncated=True,
        scanned_bytes=5,
    )


def test_what_is_not_given_has_a_default() -> None:
    assert requests.asked({}) == Asked(measures=("revenue", "orders"), by=(), limit=1_000)


def test_everything_that_can_be_given() -> None:
    given = {
        "measures": "basket,lines",
        "by": "month,country",
        "from": "2011-01-01",
        "to": "2012-01-01",
        "country": "Côte d'Ivoire",
        "sort": "-lines",
        "limit": "5",
    }
    assert set(given) == requests.PARAMETERS
    assert requests.asked(given) == Asked(
        measures=("basket", "lines"),
        by=("month", "country"),
        since=date(2011, 1, 1),
        until=date(2012, 1, 1),
        countries=("Côte d'Ivoire",),
        sort="lines",
        descending=True,
        limit=5,
    )
