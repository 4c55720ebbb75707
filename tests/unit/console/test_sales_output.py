"""Answers as a table, as CSV and as JSON: exact, aligned, harmless."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.report import words
from services.console.sales import output
from services.kernel.core.questions import Answer

ANSWER = Answer(
    ("name", "amount", "count", "rate", "day", "at", "flag"),
    (
        (
            'it\'s "quoted", \x1b[31m',
            Decimal("200000000000000000006.6503"),
            7,
            0.25,
            date(2011, 12, 9),
            datetime.fromisoformat("2011-12-09T12:50:00.001"),
            True,
        ),
        (None, Decimal("-0.5000"), None, None, None, None, False),
    ),
    truncated=True,
)


def test_json_has_decimals_and_times_as_texts() -> None:
    document = json.loads(output.as_json(ANSWER))
    assert document["truncated"] is True
    assert document["rows"][0] == {
        "name": 'it\'s "quoted", \x1b[31m',
        "amount": "200000000000000000006.6503",
        "count": 7,
        "rate": 0.25,
        "day": "2011-12-09",
        "at": "2011-12-09T12:50:00.001Z",
        "flag": True,
    }
    assert document["rows"][1]["name"] is None


def test_csv_is_read_back_as_it_was() -> None:
    head, *rows = csv.reader(io.StringIO(output.as_csv(ANSWER), newline=""))
    assert head == list(ANSWER.columns)
    assert rows[0][:2] == ['it\'s "quoted", \x1b[31m', "200000000000000000006.6503"]
    assert rows[1] == ["", "-0.5000", "", "", "", "", "false"]


def test_a_table_is_aligned_and_cannot_steer_a_terminal() -> None:
    rows = tuple((*row[:2], row[4]) for row in ANSWER.rows)
    assert output.as_table(Answer(("text", "amount", "day"), rows, truncated=True)).splitlines() == [
        "text                                                 amount  day",
        "-------------------------  --------------------------------  ----------",
        'it\'s "quoted", \\u001b[31m  200,000,000,000,000,000,006.6503  2011-12-09',
        "-                                                     -0.50  -",
        "(2 rows, and there are more)",
    ]


@given(
    st.lists(st.tuples(st.text(), st.decimals(allow_nan=False, allow_infinity=False, places=4)), max_size=5)
)
def test_every_line_of_a_table_is_of_one_width_whatever_is_in_it(rows: list[tuple[str, Decimal]]) -> None:
    lines = output.as_table(Answer(("text", "number"), tuple(rows), truncated=False)).split("\n")
    assert len(lines) == len(rows) + 4
    assert all(words.width(line) <= words.width(lines[1]) for line in lines[:-2])
    assert all(one.isprintable() for line in lines for one in line)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234567.8000", "1,234,567.80"),
        ("0.0001", "0.0001"),
        ("-3", "-3.00"),
        ("0.0000", "0.00"),
        ("1E+3", "1,000.00"),
    ],
)
def test_money_is_exact_and_readable(amount: str, shown: str) -> None:
    assert output.money(Decimal(amount)) == shown
