"""The week's report: which week, what changed, and a page that shows every text as a text."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.report import words
from services.console.sales.weekly import charts
from services.console.sales.weekly.collected import Totals, Weekly
from services.console.sales.weekly.page import change, page
from services.console.sales.weekly.week import Week
from tests.unit.console.test_page import HOSTILE, seen

WEEK = Week.named("2011-W48")


def weekly(text: str = "a thing") -> Weekly:
    """A report with this text wherever one from the lake can stand."""
    product = {"stock_code": text, "description": text, "units": 1, "orders": 1}
    return Weekly(
        week=WEEK,
        currency=text,
        others=[text],
        totals=Totals(
            705, 516, 151_807, Decimal("324370.8300"), Decimal("4495.8400"), Decimal("319874.9900")
        ),
        before=Totals(684, 493, 0, Decimal("316000.0000"), Decimal("8240.0000"), Decimal("308160.0000")),
        weeks=[(WEEK.later(offset), Decimal(100 + offset)) for offset in range(-26, 1)],
        top=[{**product, "revenue": Decimal("10.0000")}, {**product, "revenue": Decimal("-1.0000")}],
        returned=[{**product, "description": None, "returned": Decimal("0.0001")}],
        countries=[{"country": text, "orders": 2, "revenue": Decimal("3.1000")}],
        cohorts=[
            {"cohort_year": 2011, "cohort_month": 1, "months_later": 0, "customers": 9, "retention": 1.0},
            {"cohort_year": 2011, "cohort_month": 1, "months_later": 1, "customers": 3, "retention": 0.3333},
        ],
        made_at_ms=1_323_000_000_000,
    )


@given(st.dates(date(2, 1, 1), date(9998, 1, 1)))
def test_the_last_full_week_is_over_and_the_next_one_is_not(day: date) -> None:
    week = Week.last_full(day)
    assert week.monday.isoweekday() == 1
    assert week.sunday - week.monday == timedelta(6)
    assert week.sunday <= day < week.later(1).sunday
    assert Week.named(str(week)) == week
    assert week.later(1).later(-1) == week


def test_the_real_datas_last_full_week() -> None:
    assert str(Week.last_full(date(2011, 12, 9))) == "2011-W48"
    assert Week.of(2010, 52).sunday == date(2011, 1, 2)


@pytest.mark.parametrize(
    "name", ["2011-W00", "2011-W53", "2011-48", "2011-W5", "", "W48", "2011-W48 ", "0000-W01"]
)
def test_there_is_no_such_week(name: str) -> None:
    with pytest.raises(ValueError, match="is no week such as 2011-W48"):
        Week.named(name)


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (705, 684, "+3.1 % to week before"),
        (Decimal("4495.84"), Decimal("8240"), "-45.4 % to week before"),
        (0, 5, "-100.0 % to week before"),
        (5, 5, "+0.0 % to week before"),
        (Decimal(10), Decimal(-10), "+200.0 % to week before"),
        (12, 0, "nothing the week before"),
    ],
)
def test_change(now: Decimal | int, before: Decimal | int, shown: str) -> None:
    assert change(now, before) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_from_the_lake_is_a_text_and_nothing_else(text: str) -> None:
    shown = page(weekly(text))
    assert "\x1b" not in shown
    found = seen(shown)
    assert not {tag for tag, _ in found.tags} & {"script", "img", "iframe", "link", "object", "a", "form"}
    for _, attributes in found.tags:
        assert not any(name.startswith("on") or name in ("href", "src", "xlink:href") for name in attributes)
    assert words.printable(text) in found.texts


def test_numbers_are_exact_in_the_tables() -> None:
    shown = page(weekly())
    for text in ("319,874.99", "0.0001", "-1.00", "3.10", "33 %", "2011-W22", "not in this report: a thing"):
        assert text in shown


def test_a_week_without_anything_is_a_page_too() -> None:
    empty = Weekly(
        week=WEEK, currency="", others=[], totals=Totals(), before=Totals(), weeks=[(WEEK, Decimal(0))]
    )
    assert charts.specifications(empty) == {}
    assert page(empty).count("Nothing in this time.") == 5


def test_every_chart_has_its_rows() -> None:
    drawn = charts.specifications(weekly())
    assert {name: len(chart["data"]["values"]) for name, chart in drawn.items()} == {
        "weeks": 27,
        "top": 2,
        "returned": 1,
        "countries": 1,
        "cohorts": 2,
    }
