"""The frame of every report as one HTML file: no script, nothing fetched, readable in light and in dark. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from services.console.charts import theme

_STYLE = files("services.console.report").joinpath("report.css").read_text("utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The file runs nothing and fetches nothing, whatever text from outside is in it."""


@dataclass(frozen=True, slots=True)
class Card:
    """One part of the page.

    Args:
        name: its id, and the mark by which a test finds it.
        note: one line below the title.
        chart: an `svg` element, "" where there is nothing to show.
        table: the numbers of the chart as rows of texts, the first one the heads.
        wide: whether it takes a whole line.
    """

    name: str
    title: str
    note: str
    chart: str
    table: Sequence[Sequence[str]]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """One number."""

    name: str
    number: str
    note: str


@dataclass(frozen=True, slots=True)
class Document:
    """All of a report.

    Args:
        subtitle, footer: HTML, escaped by whoever made it.
    """

    title: str
    heading: str
    subtitle: str
    tiles: Sequence[Tile]
    cards: Sequence[Card]
    footer: str


def written(document: Document) -> str:
    """The file; every text but `subtitle` and `footer` is escaped here."""
    tiles = "\n".join(
        f"<div><dt>{escape(tile.name)}</dt><dd>{escape(tile.number)}</dd>"
        f'<dd class="note">{escape(tile.note)}</dd></div>'
        for tile in document.tiles
    )
    cards = "\n".join(_card(card) for card in document.cards)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(document.title)}</title>
<style>
{_STYLE}
@media (prefers-color-scheme: dark) {{
{theme.dark_css("figure")}
}}
</style>
</head>
<body>
<header>
<h1>{escape(document.heading)}</h1>
<p>{document.subtitle}</p>
</header>
<main>
<dl class="tiles">
{tiles}
</dl>
<div class="cards">
{cards}
</div>
</main>
<footer><p>{document.footer}</p></footer>
</body>
</html>
"""


def _card(card: Card) -> str:
    kind = "card wide" if card.wide else "card"
    note = f'<p class="note">{escape(card.note)}</p>' if card.note else ""
    head = f'<section class="{kind}" id="{card.name}"><h2>{escape(card.title)}</h2>{note}'
    if not card.chart:
        return f'{head}<p class="empty">Nothing in this time.</p></section>'
    label = escape(card.title, quote=True)
    return (
        f'{head}<figure role="img" aria-label="{label}">{card.chart}</figure>'
        f"<details><summary>Numbers</summary>{_table(card.table)}</details></section>"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
