"""The most frequent values, one bar each, with what they are on the left and how many on the right. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.console.charts.label_width import pixels
from services.console.charts.theme import MUTED

WIDTH, WIDE, ROW = 500, 1_040, 24
_GAP_PX = 12
_LEAST_SHARE = 0.006
"""Of the longest bar: what is there has to show."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bar.

    Args:
        label: short enough for its room.
        number: how long the bar is.
        note: what stands on its right.
        colour: of the bar.
    """

    label: str
    number: int
    note: str
    colour: str


def label_room(width: int) -> int:
    """How many pixels a label has in a chart of this width."""
    return _bars_from(width) - 10


def specification(rows: Sequence[Row], width: int = WIDTH) -> dict[str, Any]:
    """The chart: rows in the given order, bars from one line on.

    Args:
        rows: at least one; labels within `label_room`.
        width: of the whole chart in pixels.
    """
    largest = max(1, *(row.number for row in rows))
    values = [
        {
            "row": place,
            "label": row.label,
            "length": max(row.number / largest, _LEAST_SHARE if row.number else 0),
            "note": row.note,
            "colour": row.colour,
        }
        for place, row in enumerate(rows)
    ]
    label = {"type": "text", "align": "left", "baseline": "middle"}
    note = {"type": "text", "align": "right", "baseline": "middle", "color": MUTED}
    return {
        "width": width,
        "height": {"step": ROW},
        "data": {"values": values},
        "encoding": {"y": {"field": "row", "type": "ordinal", "axis": None, "sort": "ascending"}},
        "layer": [
            {"mark": label, "encoding": {"text": {"field": "label"}, "x": {"value": 0}}},
            {
                "mark": {"type": "bar", "height": 14},
                "encoding": {
                    "x": _lengths(width, rows),
                    "color": {"field": "colour", "type": "nominal", "scale": None},
                },
            },
            {"mark": note, "encoding": {"text": {"field": "note"}, "x": {"value": width}}},
        ],
    }


def _lengths(width: int, rows: Sequence[Row]) -> dict[str, Any]:
    notes = max(sum(map(pixels, row.note)) for row in rows)
    scale = {"domain": [0, 1], "range": [_bars_from(width), width - notes - _GAP_PX], "nice": False}
    return {"field": "length", "type": "quantitative", "axis": None, "scale": scale}


def _bars_from(width: int) -> int:
    return width * 2 // 5 if width <= WIDTH else width * 11 // 20
