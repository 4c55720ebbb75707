"""The report of the real log in a real browser: every chart has its bars, every text its room. The pictures are kept.

They are in `.local/pictures/` after a run, for people to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from services.console.charts import theme
from services.console.report.page import page as report_page
from tests.browsers import colours, opened_page
from tests.component.console import reporting
from tests.component.console.conftest import Console
from tests.component.console.reporting import REAL_DAYS
from tests.log_entries import real_entries
from tests.processes import ROOT
from tests.unit.console.reports import a_report

PICTURES = ROOT / ".local/pictures"
WIDTH = 1280
RANKED = {
    "paths": (theme.BARS, "url.path"),
    "referrers": (theme.BARS, "http.request.referrer"),
    "agents": (theme.BARS, "user_agent.name"),
    "countries": (theme.BARS, "source.geo.country_iso_code"),
    "systems": (theme.BARS, "user_agent.os.name"),
    "methods": (theme.BARS, "http.request.method"),
    "hosts": (theme.BARS, "host.name"),
    "robots": (theme.BARS, "user_agent.bot"),
}
_TEXTS = """() => [...document.querySelectorAll('figure svg')].flatMap((svg, chart) => {
    const box = (one) => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
    const bars = [...svg.querySelectorAll('path[aria-roledescription="bar"]')].map(box);
    return [...svg.querySelectorAll('text')].filter((one) => one.textContent.trim() && one.style.opacity !== '0')
        .map((one) => ({chart, text: one.textContent, box: box(one), bars, within: box(svg)}));
})"""


@pytest.fixture(scope="module")
async def report(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    code, _, complained = await reporting.run(console, (*REAL_DAYS, "--html", str(file)))
    assert code == 0, complained
    return file


@pytest.fixture
async def page(report: Path) -> AsyncIterator[Page]:
    async with opened_page(WIDTH) as page:
        await page.goto(report.as_uri())
        yield page


def counts(path: str) -> list[int]:
    """How often the ten most frequent values occur, by a count of our own."""
    found: Counter[Any] = Counter()
    for entry in real_entries():
        node: Any = entry
        for step in path.split("."):
            node = node.get(step) if isinstance(node, dict) else None
        found[node] += 1
    del found[None]
    return [count for _, count in found.most_common(10)]


async def bars(page: Page, card: str) -> list[tuple[float, float]]:
    """Width and height of each bar of a chart, in pixels of the screen, by what the browser says."""
    found: list[list[float]] = await page.locator(f'#{card} path[aria-roledescription="bar"]').evaluate_all(
        "(bars) => bars.map((one) => one.getBoundingClientRect()).map((box) => [box.width, box.height])"
    )
    return [(width, height) for width, height in found]


async def test_the_pictures_are_kept(page: Page) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    light = await page.screenshot(path=PICTURES / "report.png", full_page=True)
    await page.emulate_media(color_scheme="dark")
    dark = await page.screenshot(path=PICTURES / "report-dark.png", full_page=True)
    assert light != dark
    assert min(len(light), len(dark)) > 50_000


@pytest.mark.parametrize("card", sorted(RANKED))
async def test_bars_are_as_long_as_their_numbers_and_are_painted(page: Page, card: str) -> None:
    colour, path = RANKED[card]
    numbers = counts(path)
    found = await bars(page, card)
    chart = await page.locator(f"#{card} figure").bounding_box()
    assert chart is not None
    longest = found[0][0]
    assert longest > 0.2 * chart["width"]
    assert [width / longest for width, _ in found] == pytest.approx(
        [max(number / numbers[0], 0.006) for number in numbers], abs=0.005
    )
    area = sum(width * height for width, height in found)
    painted = (await colours(page, f"#{card} figure"))[colour]
    # What lies on a bar's edge is a mixture with the ground.
    assert 0.8 * area <= painted <= 1.02 * area


async def test_the_paths_that_were_not_found_have_their_own_colour(page: Page) -> None:
    shown = await colours(page, "#not-found figure")
    assert shown[theme.NOT_FOUND_BARS] > 2_000
    assert theme.BARS not in shown


async def test_requests_over_time_show_each_class_by_its_share(page: Page) -> None:
    shown = await colours(page, "#over-time figure")
    classes = Counter(
        entry.get("http", {}).get("response", {}).get("status_code", 0) // 100 for entry in real_entries()
    )
    share = shown[theme.CLASS_COLOURS["3xx"]] / shown[theme.CLASS_COLOURS["2xx"]]
    assert share == pytest.approx(classes[3] / classes[2], rel=0.25)
    assert shown[theme.CLASS_COLOURS["4xx"]] > 300
    total = sum(shown.values())
    assert shown[theme.CLASS_COLOURS["2xx"]] > 0.3 * total


async def test_visitors_have_a_column_a_day(page: Page) -> None:
    shown = await colours(page, "#visitors figure")
    assert 0.1 < shown[theme.VISITOR_BARS] / sum(shown.values()) < 0.5
    labels = await page.locator("#visitors figure text").all_text_contents()
    assert {"2015-05-17", "2015-05-18", "2015-05-19", "2015-05-20", "visitors"} <= set(labels)


@pytest.fixture(scope="module")
def wide_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose texts are as wide as any."""
    values = [(one * 400, 10_000_000 - at, 1) for at, one in enumerate(("W", "i", "中", "/a", "🕵", "\u202e"))]
    file = tmp_path_factory.mktemp("wide") / "report.html"
    file.write_text(report_page(a_report(values, query="W" * 900, hosts=values)), encoding="utf-8")
    return file


@pytest.mark.parametrize("which", ["report", "wide_report"])
async def test_no_text_lies_on_another_or_on_a_bar_or_outside(
    page: Page, which: str, request: pytest.FixtureRequest
) -> None:
    await page.goto(request.getfixturevalue(which).as_uri())
    texts = await page.evaluate(_TEXTS)
    assert len(texts) > 60
    for at, one in enumerate(texts):
        left, top, right, bottom = one["box"]
        assert one["within"][0] - 1 <= left, one["text"]
        assert right <= one["within"][2] + 1, one["text"]
        for other in texts[at + 1 :]:
            assert other["chart"] != one["chart"] or not _overlap(one["box"], other["box"]), (
                one["text"],
                other["text"],
            )
        for bar in one["bars"]:
            assert not _overlap((left, top, right, bottom), bar), one["text"]


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes share more than a pixel's edge; a text's box is higher than its letters."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 1 and down > 4


async def test_dark_is_dark_and_its_bars_are_light(page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    shown = await colours(page, "#paths figure")
    assert theme.BARS not in shown
    assert max(shown, key=lambda colour: shown[colour]) == "#1b242d"
    assert shown["#58a6dd"] > 5_000


@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_numbers_behind_a_chart_can_be_read(page: Page) -> None:
    await page.locator("#paths summary").click()
    row = page.locator("#paths table tr", has_text="/favicon.ico")
    assert await row.locator("td").all_text_contents() == ["/favicon.ico", "807", "8.1 %", "2.7 MiB"]
    assert await row.is_visible()
