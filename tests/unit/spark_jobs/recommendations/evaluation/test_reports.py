"""Table, picture and page show every method of every cut-off, and need nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from spark_jobs.recommendations.evaluation import table
from spark_jobs.recommendations.evaluation.findings import LABELS, OURS, verdicts
from spark_jobs.recommendations.evaluation.page import page
from spark_jobs.recommendations.evaluation.picture import WIDTH, picture
from tests.unit.spark_jobs.recommendations.evaluation.found import cut

CUTS = [cut("2011-08-31"), cut(new=(0.07, 0.12))]
_SVG = "{http://www.w3.org/2000/svg}"
_VOID = {"meta", "rect", "path"}


class Tags(HTMLParser):
    """Fails where a tag is not closed by its own."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        assert not {"src", "href"} & {name for name, _ in attrs}
        self.rows += tag == "tr"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag


def test_the_table_has_a_row_for_each_method_and_split() -> None:
    shown = list(table.rows(CUTS))
    for label in LABELS.values():
        assert sum(line.strip().startswith(f"{label} ") for line in shown) >= 2 * len(CUTS)
    (row, *_) = [line for line in shown if line.strip().startswith("ours  ")]
    row = " ".join(row.split())
    assert row == "ours .160 [.150 .170] .380 [.370 .390] .190 [.180 .200] .250 4.5"
    assert "    ours minus implicit ALS: NDCG -0.0030 [-0.0130 +0.0070]" in "\n".join(shown)


def test_each_goal_is_told() -> None:
    told = list(table.told(verdicts(CUTS)))
    assert [line.split()[0] for line in told] == ["MISSED", "met", "met"]
    assert list(table.told([])) == ["no goal is set for these cut-offs"]


def test_the_picture_has_a_bar_and_an_interval_for_each_method_inside_its_panel() -> None:
    root = ElementTree.fromstring(picture(CUTS))  # noqa: S314 - our own
    bars = root.findall(f"{_SVG}rect")[1:]
    assert len(bars) == len(root.findall(f"{_SVG}path")) == 2 * len(CUTS) * len(LABELS)
    height = float(root.attrib["height"])
    for bar in bars:
        assert 0 <= float(bar.attrib["x"]) + float(bar.attrib["width"]) <= WIDTH
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height
    first, second = (float(bar.attrib["width"]) for bar in bars[:2])
    assert first / second == pytest.approx(0.38 / 0.1, rel=0.01)


def test_the_page_is_one_file_and_escapes_what_it_shows() -> None:
    took = {"Spark": {"elapsed_s": 100.0, "cpu_s": 150.0, "peak_bytes": 2**31}}
    text = page("2026-01-02", CUTS, verdicts(CUTS), took)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.rows == 2 * (2 * (1 + len(LABELS)) + 1 + 2) + 2
    assert "best of &lt;18&gt; &amp; more" in text
    assert "<td>2,048</td>" in text
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert text.count('class="ours"') == 2 * len(CUTS)
    assert f">{LABELS[OURS]}<" in text
