"""The reader of the real data gives the documented numbers and keeps what naive readers lose."""

from __future__ import annotations

import pytest

from deploy.local import retail
from deploy.local.figures import Figures, facts_of

DOCUMENTED_KINDS = {
    "adjustment": {"invoices": 3, "lines": 3, "units": 3, "value": "-11062.06"},
    "cancellation": {"invoices": 3836, "lines": 9288, "units": -277574, "value": "-896812.49"},
    "sale": {"invoices": 22061, "lines": 532618, "units": 5454021, "value": "10655622.484"},
    "all": {"invoices": 25900, "lines": 541909, "units": 5176450, "value": "9747747.934"},
}
DOCUMENTED_POPULATIONS = {
    "lines of guests": 135_080,
    "invoices of guests": 3_710,
    "lines of cancellations": 9_288,
    "lines of adjustments": 3,
    "quantity below zero without a C": 1_336,
    "lines that share invoice and stock code": 10_684,
    "lines equal to an earlier one": 5_268,
    "invoices with two times": 43,
    "lines of the largest invoice": 1_114,
    "price below zero": 2,
    "price zero": 2_515,
    "price with three decimals": 4,
    "description empty": 1_454,
    "description with a comma or a quote": 6_035,
    "description with blanks at an end": 113_452,
    "description not ASCII": 32,
    "stock code without five digits in front": 2_995,
}


@pytest.fixture(scope="module")
def whole() -> tuple[Figures, dict[str, retail.Invoice]]:
    figures, kept = Figures(), {}
    for invoice in retail.invoices():
        figures.add(invoice.invoice_no, [facts_of(line) for line in invoice.lines])
        if invoice.invoice_no in {"536365", "542806", "573585"}:
            kept[invoice.invoice_no] = invoice
    return figures, kept


def test_the_totals_are_those_that_the_data_is_documented_with(
    whole: tuple[Figures, dict[str, retail.Invoice]],
) -> None:
    counted = whole[0].as_json()
    assert counted["by_kind"] == DOCUMENTED_KINDS
    assert counted["populations"] == DOCUMENTED_POPULATIONS
    assert (counted["customers"], counted["stock_codes"]) == (4_372, 4_070)


def test_an_invoice_with_others_between_its_lines_comes_once_and_whole(
    whole: tuple[Figures, dict[str, retail.Invoice]],
) -> None:
    rows = [line.row for line in whole[1]["542806"].lines]
    assert rows[-1] - rows[0] >= len(rows)
    assert len(whole[1]["573585"].lines) == 1_114


def test_a_line_keeps_its_bytes_and_its_fields(whole: tuple[Figures, dict[str, retail.Invoice]]) -> None:
    line = whole[1]["536365"].lines[0]
    assert line.text.startswith(b"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,")
    assert line[1:9] == (
        "536365",
        "85123A",
        "WHITE HANGING HEART T-LIGHT HOLDER",
        6,
        "2010-12-01T08:26:00.000Z",
        "2.55",
        "17850",
        "United Kingdom",
    )


@pytest.mark.parametrize(
    ("wall_clock", "utc"),
    [
        ("2011-01-10 10:00:00", "2011-01-10T10:00:00.000Z"),
        ("2011-03-27 12:00:00", "2011-03-27T11:00:00.000Z"),
        ("2011-10-30 12:00:00", "2011-10-30T12:00:00.000Z"),
    ],
)
def test_wall_clock_times_of_london_become_utc(wall_clock: str, utc: str) -> None:
    assert retail.utc(wall_clock) == utc


def test_the_last_week_is_782_invoices() -> None:
    index = retail.spans()
    begin = retail.last_week_begins(index)
    assert begin == "2011-12-02T12:50:00.000Z"
    assert sum(span.first_time >= begin for span in index.values()) == 782
