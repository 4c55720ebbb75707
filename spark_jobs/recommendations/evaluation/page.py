"""The findings as one HTML file: picture, tables, what was done; no script, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from spark_jobs.recommendations.evaluation import table
from spark_jobs.recommendations.evaluation.findings import (
    LABELS,
    MEASURES,
    OURS,
    SPLITS,
    WORDS,
    Cut,
    Verdict,
    three,
)
from spark_jobs.recommendations.evaluation.picture import picture

_STYLE = """
body { font: 15px/1.45 Helvetica, Arial, sans-serif; color: #26323f; max-width: 1120px;
  margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: .6em 0 1.6em; font-variant-numeric: tabular-nums }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #dfe5ea }
th:first-child, td:first-child { text-align: left }
tr.ours { background: #e5f2ed; font-weight: bold }
.met { color: #1f6f54 } .missed { color: #b03a2e; font-weight: bold }
small { color: #66727e } svg { max-width: 100%; height: auto }
"""


def page(
    made_on: str, cuts: Sequence[Cut], verdicts: Sequence[Verdict], took: Mapping[str, Mapping[str, float]]
) -> str:
    """The whole document.

    Args:
        made_on: YYYY-MM-DD.
        took: of each step elapsed_s, cpu_s and peak_bytes.
    """
    title = f"Recommendations, evaluated on {made_on}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *_goals(verdicts),
        "<h2>NDCG@10 and its 95 % bootstrap interval</h2>",
        picture(cuts),
        *(part for cut in cuts for part in _cut(cut)),
        "<h2>What it took</h2>",
        _head("seconds", "CPU seconds", "peak memory, MB"),
        *(_row(name, table.took(found)) for name, found in took.items()),
        "</table></body></html>",
        "",
    ]
    return "\n".join(parts)


def _goals(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "<ul>"
    for one in verdicts:
        kind, word = ("met", "met") if one.met else ("missed", "MISSED")
        yield f'<li><span class="{kind}">{word}</span> {escape(one.sentence)}</li>'
    if not verdicts:
        yield "<li>no goal is set for these cut-offs</li>"
    yield "</ul>"


def _cut(cut: Cut) -> Iterator[str]:
    yield f"<h2>Cut-off {escape(cut.day)}</h2>"
    yield f"<p>{cut.articles:,} articles known. Ours, as the choice on the validation window has it: "
    yield f"{escape(table.recipe(cut))}.</p>"
    for split in SPLITS:
        yield f"<h3>{split}: {escape(table.SPLIT_TEXTS[split])}, {cut.users[split]:,} customers</h3>"
        yield _head(*(WORDS[one] for one in MEASURES), "coverage", "novelty, bits")
        for method, found in cut.methods[split].items():
            cells = [table.interval(getattr(found, one)) for one in MEASURES]
            kind = ' class="ours"' if method == OURS else ""
            yield _row(LABELS[method], [*cells, three(found.coverage), f"{found.novelty:.1f}"], kind)
        yield "</table>"
        if split in cut.against:
            yield f"<p>{escape(table.against(cut, split))}</p>"
    for name, methods in cut.lists.items():
        yield f"<h3>{escape(table.LIST_TEXTS[name])}, {cut.cases[name]:,}</h3>"
        yield _head(*(WORDS[one] for one in MEASURES))
        for method, measured in methods.items():
            yield _row(method, [table.interval(getattr(measured, one)) for one in MEASURES])
        yield "</table>"
    for method, text in cut.chosen.items():
        yield f"<p><small>{escape(LABELS.get(method, method))}: {escape(text)}</small></p>"


def _head(*names: str) -> str:
    return "<table><tr><th></th>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"


def _row(name: str, cells: Sequence[str], kind: str = "") -> str:
    return (
        f"<tr{kind}><td>{escape(name)}</td>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    )
