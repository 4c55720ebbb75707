"""The report as a page: it holds everything, runs nothing, fetches nothing, and shows no text from a log as markup."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.charts import by_day, label_width, over_time, ranking, theme
from services.console.charts.ranking import Row
from services.console.charts.rendering import svg
from services.console.logs.histogram import Histogram
from services.console.report import words
from services.console.report.page import page
from tests.unit.console.reports import RANGE, a_report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></style><script>alert(2)</script>",
    "javascript:alert(3)",
    "&lt;b&gt;",
    "' onload='alert(4)",
    "\x1b[31m",
    "]]><!--",
)
CARDS = {
    *("over-time", "classes", "visitors", "paths", "not-found", "agents", "systems", "countries"),
    *("referrers", "hosts", "methods", "robots"),
}


@dataclass
class Seen(HTMLParser):
    """What a browser would find in a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def seen(text: str) -> Seen:
    """Read a page."""
    found = Seen()
    found.feed(text)
    return found


def test_every_part_is_there_and_has_its_chart() -> None:
    found = seen(page(a_report()))
    assert {attributes["id"] for tag, attributes in found.tags if tag == "section"} == CARDS
    assert sum(tag == "svg" for tag, _ in found.tags) == len(CARDS)
    said = " ".join(found.texts)
    for expected in (
        "1,480",
        "150",
        "/wp-login.php",
        "Googlebot",
        "web-2",
        "2026-03-01 00:00 to 2026-03-03 00:00 UTC",
    ):
        assert expected in said


def test_no_text_from_a_log_becomes_markup() -> None:
    hostile = [(text, 10, 1) for text in HOSTILE]
    found = seen(page(a_report(hostile, query=HOSTILE[0], hosts=hostile)))
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "img", "iframe", "link", "object", "a", "form"}
    for _, attributes in found.tags:
        assert not any(name.startswith("on") or name in ("href", "src", "xlink:href") for name in attributes)
    assert any("<script>alert(1)</script>" in text for text in found.texts)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(a_report())
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert addresses <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
        *(one for one in addresses if one.startswith("https://example.org/")),  # a referrer, as text
    }
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_a_time_without_requests_says_so() -> None:
    empty = a_report(paths=(), hosts=())
    text = page(empty)
    assert text.count("Nothing in this time.") == 2


def test_every_colour_that_is_dark_on_dark_has_a_light_one() -> None:
    rules = theme.dark_css("figure")
    for colour in (theme.TEXT, theme.MUTED, theme.GRID, theme.BARS, theme.NOT_FOUND_BARS, theme.VISITOR_BARS):
        assert f'[fill="{colour}"]' in rules
        assert f'[stroke="{colour}"]' in rules


def _bars(text: str, colour: str) -> list[tuple[float, float]]:
    """Width and height of each bar of a colour."""
    return [
        (float(width), float(height))
        for width, height in re.findall(rf'd="M[\d.,]+h([\d.]+)v([\d.]+)h-[\d.]+Z" fill="{colour}"', text)
    ]


def test_bars_are_as_long_as_their_numbers() -> None:
    rows = [Row("a", 400, "", theme.BARS), Row("b", 100, "", theme.BARS), Row("c", 0, "", theme.BARS)]
    lengths = [width for width, _ in _bars(svg(ranking.specification(rows)), theme.BARS)]
    assert lengths[0] / lengths[1] == pytest.approx(4, rel=0.01)
    assert lengths[2:] in ([], [0.0])


@given(st.text(max_size=300), st.sampled_from([ranking.WIDTH, ranking.WIDE]))
def test_a_label_is_cut_to_its_room(text: str, width: int) -> None:
    room = ranking.label_room(width)
    cut = words.shortened(text, room, label_width.pixels)
    assert sum(map(label_width.pixels, cut)) <= room
    assert cut == text or "…" in cut


def test_a_label_of_any_characters_can_be_drawn() -> None:
    for text in ("\U0001f575" * 400, "W" * 400, "e\u0301" * 400, "中" * 400):
        assert "<svg" in page(a_report([(text, 10, 1)], hosts=[(text, 10, 1)]))


def test_over_time_has_a_bar_for_each_class_of_each_step() -> None:
    report = a_report()
    steps = report.summary.histogram.steps
    found: list[dict[str, Any]] = over_time.specification(RANGE, Histogram("1h", steps))["data"]["values"]
    for step in steps:
        heights = {one["class"]: one["high"] - one["low"] for one in found if one["at"] == step.at_ms}
        assert heights == {name: count for name, count in step.classes.items() if count}


def test_days_have_a_column_each_and_their_number_above() -> None:
    text = svg(by_day.specification([("2026-03-01", 1_200), ("2026-03-02", 600)]))
    heights = [height for _, height in _bars(text, theme.VISITOR_BARS)]
    assert heights[0] / heights[1] == pytest.approx(2, rel=0.02)
    assert ">1,200<" in text
