"""The report as one HTML file: charts inside, no script, nothing fetched, readable in light and in dark. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from services.console.charts import by_day, label_width, over_time, ranking, theme
from services.console.charts.ranking import Row
from services.console.charts.rendering import svg
from services.console.logs.facets import Counted
from services.console.logs.histogram import CLASSES, OTHER
from services.console.report import html, words
from services.console.report.collected import Report
from services.console.report.html import Card, Document, Tile

_FOOTER = (
    "Numbers of different visitors, addresses and programs, and percentiles, are estimates; everything else is\n"
    "counted. A visitor is an address with a program. Times are UTC."
)


def page(report: Report) -> str:
    """Write the page; every text from a log is escaped."""
    query = f"<code>{escape(words.printable(report.query))}</code>" if report.query else "every request"
    return html.written(
        Document(
            title=f"Web requests, {words.period(report.range)}",
            heading="Web requests",
            subtitle=f"{escape(words.period(report.range))} · {query} · made {words.moment(report.made_at_ms)} UTC",
            tiles=_tiles(report),
            cards=_cards(report),
            footer=_FOOTER,
        )
    )


def _tiles(report: Report) -> list[Tile]:
    summary, sizes = report.summary, report.summary.sizes
    classes = summary.classes
    median, high = sizes.percentiles[50.0], sizes.percentiles[99.0]
    addresses = f"{words.count(summary.visitors.addresses)} addresses"
    return [
        Tile("Requests", words.count(summary.total), ""),
        Tile("Visitors", words.count(summary.visitors.pairs), addresses),
        Tile("Client errors", words.share(classes["4xx"], summary.total), _times(classes["4xx"])),
        Tile("Server errors", words.share(classes["5xx"], summary.total), _times(classes["5xx"])),
        Tile("Sent", words.size(sizes.total_bytes), f"largest {words.size(sizes.largest_bytes)}"),
        Tile("Median size", _size(median), f"p99 {_size(high)}"),
        Tile("Robots", words.share(report.bots, summary.total), _times(report.bots)),
    ]


def _cards(report: Report) -> list[Card]:
    summary = report.summary
    facets, total = summary.facets, summary.total
    return [
        _over_time(report),
        _classes(report),
        _days(report),
        _ranked("paths", "Most requested paths", total, facets["path"].values, wide=True),
        _not_found(report),
        _ranked("referrers", "Where requests came from", total, facets["referrer"].values, wide=True),
        _ranked("agents", "Programs", total, report.agents),
        _ranked("countries", "Countries", total, facets["country"].values),
        _ranked("systems", "Operating systems", total, facets["os"].values),
        _ranked("methods", "Methods", total, facets["method"].values),
        _ranked("hosts", "Web servers", total, facets["host"].values),
        _bots(report),
    ]


def _not_found(report: Report) -> Card:
    values, colour = report.summary.not_found, theme.NOT_FOUND_BARS
    return _ranked(
        "not-found", "Not found: paths answered with 404", report.summary.total, values, colour, wide=True
    )


def _over_time(report: Report) -> Card:
    found = report.summary.histogram
    each = words.interval(found.interval)
    heads = ("from", *CLASSES, OTHER, "all")
    rows = [
        (
            words.moment(step.at_ms),
            *(words.count(step.classes[name]) for name in heads[1:-1]),
            words.count(step.total),
        )
        for step in found.steps
        if step.total
    ]
    chart = svg(over_time.specification(report.range, found)) if rows else ""
    note = f"each bar is {each}, its colours are the classes of the status"
    return Card("over-time", "Requests over time", note, chart, [heads, *rows], wide=True)


def _classes(report: Report) -> Card:
    counts = report.summary.classes
    names = {
        "2xx": "2xx success",
        "3xx": "3xx redirection",
        "4xx": "4xx client error",
        "5xx": "5xx server error",
    }
    rows = [
        Row(
            names.get(name, name),
            counts[name],
            _note(counts[name], report.summary.total),
            theme.CLASS_COLOURS[name],
        )
        for name in (*CLASSES, OTHER)
        if counts[name]
    ]
    return _bars("classes", "Answers by class of status", "", rows)


def _days(report: Report) -> Card:
    days = [(day.name, day.visitors.pairs) for day in report.days]
    chart = svg(by_day.specification(days)) if any(visitors for _, visitors in days) else ""
    table = [("day", "visitors"), *((day, words.count(visitors)) for day, visitors in days)]
    return Card("visitors", "Visitors a day", "different pairs of address and program", chart, table)


def _bots(report: Report) -> Card:
    facet = report.summary.facets["bot"]
    known = {bool(one.value): one.count for one in facet.values}
    named = (("everyone else", known.get(False, 0)), ("known robots", known.get(True, 0)))
    rows = [
        Row(label, number, _note(number, report.summary.total), theme.BARS)
        for label, number in named
        if number
    ]
    return _bars("robots", "People and robots", "requests whose program is known", rows)


def _ranked(
    name: str,
    title: str,
    total: int,
    values: Sequence[Counted],
    colour: str = theme.BARS,
    *,
    wide: bool = False,
) -> Card:
    width = ranking.WIDE if wide else ranking.WIDTH
    rows = [Row(_label(one, width), one.count, _note(one.count, total), colour) for one in values]
    table = [
        ("", "requests", "share", "sent"),
        *(
            (
                words.value(one.value),
                words.count(one.count),
                words.share(one.count, total),
                words.size(one.size_bytes),
            )
            for one in values
        ),
    ]
    chart = svg(ranking.specification(rows, width)) if rows else ""
    return Card(name, title, "", chart, table, wide)


def _bars(name: str, title: str, note: str, rows: Sequence[Row]) -> Card:
    chart = svg(ranking.specification(rows)) if rows else ""
    table = [("", "requests"), *((row.label, words.count(row.number)) for row in rows)]
    return Card(name, title, note, chart, table)


def _label(one: Counted, width: int) -> str:
    return words.shortened(words.value(one.value), ranking.label_room(width), label_width.pixels)


def _note(number: int, total: int) -> str:
    return f"{words.count(number)} · {words.share(number, total)}"


def _times(number: int) -> str:
    return f"{words.count(number)} requests"


def _size(size_bytes: float | None) -> str:
    return "-" if size_bytes is None else words.size(size_bytes)
