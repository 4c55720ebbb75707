"""The report in a terminal: the same text each time, never wider than it may be, harmless whatever is in a log."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.report import words
from services.console.report.bars import bar, columns, summed
from services.console.report.terminal import Terminal
from tests.unit.console.reports import a_report

GOLDEN = Path(__file__).parent / "report.txt"
HOSTILE = [
    "\x1b[31mred",
    "a\nb",
    "tab\there",
    "\u202eright to left",
    "中" * 80,
    "e\u0301" * 90,
    "\x07",
    "x" * 500,
    "\u200b",
]


def test_a_report_looks_like_this() -> None:
    """`tests/unit/console/report.txt` is what people see; change it only after looking at it."""
    assert "\n".join(Terminal(100).lines(a_report())) + "\n" == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("width", [20, 60, 72, 84, 99, 100, 300])
def test_no_line_is_wider_than_the_terminal_or_than_100(width: int) -> None:
    report = a_report(
        [(text, 10, 5) for text in HOSTILE], query="x" * 500, hosts=[(text, 1, 1) for text in HOSTILE]
    )
    for line in Terminal(width).lines(report):
        assert words.width(line) <= min(max(width, 60), 100), line


def test_nothing_from_a_log_steers_the_terminal() -> None:
    lines = Terminal(100).lines(a_report([(text, 10, 5) for text in HOSTILE], query="\x1b]0;owned\x07"))
    for line in lines:
        assert all(unicodedata.category(one)[0] != "C" for one in line), ascii(line)
    assert any(line.startswith("\\u001b[31mred") for line in lines)


def test_colours_only_where_they_are_wanted() -> None:
    assert not any("\x1b" in line for line in Terminal(100).lines(a_report()))
    coloured = Terminal(100, coloured=True).lines(a_report())
    assert any("\x1b[1m" in line for line in coloured)
    assert all(line.count("\x1b[") % 2 == 0 for line in coloured)


def test_columns_stand_below_their_headings() -> None:
    lines = Terminal(100).lines(a_report())
    at = next(number for number, line in enumerate(lines) if line.startswith("Paths"))
    ends = [lines[at].index(head) + len(head) for head in ("requests", "share", "sent")]
    assert [lines[at + 1][:end].split()[-1] for end in ends] == ["700", "%", "MiB"]


@given(st.floats(0, 1e9), st.floats(0.1, 1e9), st.integers(1, 40))
def test_a_bar_has_its_cells_and_shows_what_is_there(number: float, largest: float, cells: int) -> None:
    found = bar(number, largest, cells)
    assert len(found) == cells
    assert (found.strip() == "") == (number == 0)
    assert (found == "█" * cells) == (round(number / largest * cells * 8) >= cells * 8)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.integers(1, 6))
def test_columns_are_as_high_as_their_numbers(numbers: list[int], rows: int) -> None:
    lines = columns(numbers, rows)
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[at]) for line in lines) for at in range(len(numbers))]
    highest = max(numbers)
    for number, height in zip(numbers, heights, strict=True):
        assert (height == 0) == (number == 0)
        if highest:
            assert abs(height - number / highest * rows * 8) <= 1


@given(st.lists(st.integers(0, 100), max_size=300), st.integers(1, 100))
def test_neighbours_are_added_up_and_nothing_is_lost(numbers: list[int], cells: int) -> None:
    found, group = summed(numbers, cells)
    assert len(found) <= cells
    assert sum(found) == sum(numbers)
    assert group == max(1, -(-len(numbers) // cells))


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_text_fits_its_cells_exactly(text: str, cells: int) -> None:
    assert words.width(words.fitted(words.printable(text), cells)) == cells


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (12_273, "12.0 KiB"),
        (170_682, "167 KiB"),
        (2_747_282_505, "2.6 GiB"),
    ],
)
def test_sizes_read_well(size_bytes: float, shown: str) -> None:
    assert words.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "-"), (0, 9, "0.0 %"), (1, 9999, "<0.1 %"), (1, 3, "33.3 %"), (3, 3, "100.0 %")],
)
def test_shares_read_well(part: int, whole: int, shown: str) -> None:
    assert words.share(part, whole) == shown
