"""The findings as a picture: a bar and its interval for each method; one SVG that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from spark_jobs.recommendations.evaluation.findings import LABELS, OURS, SPLITS, Cut, Measured, three

WIDTH, BAR, GAP, LEFT, TOP = 1120, 16, 6, 210, 46
PANEL = (WIDTH - 40) // 2
_OURS, _OTHER, _LINE = "#1f6f54", "#b4bec9", "#26323f"


def picture(cuts: Sequence[Cut]) -> str:
    """NDCG@10 of all methods, one row of panels a cut-off, one column a split; all bars of a column on one scale."""
    heights = [_height(cut) for cut in cuts]
    height = sum(heights) + 12
    scales = {split: _scale(cuts, split) for split in SPLITS}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-label="NDCG@10 of each method with 95 % bootstrap intervals"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    top = 0
    for cut, own in zip(cuts, heights, strict=True):
        for column, split in enumerate(SPLITS):
            parts += _panel(cut, split, 10 + column * (PANEL + 20), top, scales[split])
        top += own
    return "\n".join([*parts, "</svg>"])


def _height(cut: Cut) -> int:
    return TOP + max(len(cut.methods[split]) for split in SPLITS) * (BAR + GAP) + 14


def _scale(cuts: Sequence[Cut], split: str) -> float:
    """Pixels of NDCG 1."""
    highest = max((one.ndcg.high for cut in cuts for one in cut.methods[split].values()), default=0.0)
    return (PANEL - LEFT - 60) / max(highest, 1e-9)


def _panel(cut: Cut, split: str, left: int, top: int, scale: float) -> Iterator[str]:
    title = f"{split}, cut-off {cut.day}, {cut.users[split]:,} customers"
    yield f'<text x="{left}" y="{top + 30}" font-weight="bold" fill="{_LINE}">{escape(title)}</text>'
    for number, (method, found) in enumerate(cut.methods[split].items()):
        yield from _bar(method, found, left, top + TOP + number * (BAR + GAP), scale)


def _bar(method: str, found: Measured, left: int, top: int, scale: float) -> Iterator[str]:
    zero, middle = left + LEFT, top + BAR / 2
    low, value, high = (zero + scale * one for one in (found.ndcg.low, found.ndcg.value, found.ndcg.high))
    colour = _OURS if method == OURS else _OTHER
    text = f'y="{middle + 4:.1f}" fill="{_LINE}"'
    yield f'<text x="{zero - 8}" {text} text-anchor="end">{escape(LABELS[method])}</text>'
    yield f'<rect x="{zero}" y="{top}" width="{max(value - zero, 0):.1f}" height="{BAR}" fill="{colour}"/>'
    yield (
        f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"'
        f' stroke="{_LINE}" fill="none"/>'
    )
    yield f'<text x="{high + 6:.1f}" {text}>{three(found.ndcg.value)}</text>'
