"""The reader of the real data keeps what naive readers lose; that it counts all of it right is for the system tier."""

from __future__ import annotations

import lzma
from itertools import islice
from pathlib import Path

import pytest

from deploy.local import retail
from deploy.local.figures import Figures, facts_of

# Where invoice 542806 stands in the file: 39 lines of its own with others between them.
FIRST_ROW, LAST_ROW = 78_086, 78_126


def test_an_invoice_with_others_between_its_lines_comes_once_and_whole(tmp_path: Path) -> None:
    stretch = list(islice(retail.texts(), FIRST_ROW, LAST_ROW + 1))
    path = tmp_path / "stretch.csv.xz"
    path.write_bytes(lzma.compress(retail.HEADER + b"".join(stretch), preset=0))
    found = {invoice.invoice_no: invoice for invoice in retail.invoices(path)}
    assert len(found["542806"].lines) == 39
    assert found["542806"].lines[-1].row == LAST_ROW - FIRST_ROW
    assert sum(len(invoice.lines) for invoice in found.values()) == len(stretch)
    figures = Figures()
    for invoice in found.values():
        figures.add(invoice.invoice_no, [facts_of(line) for line in invoice.lines])
    assert figures.as_json()["by_kind"]["all"]["lines"] == len(stretch)


def test_a_line_keeps_its_bytes_and_its_fields() -> None:
    line = next(retail.lines())
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
