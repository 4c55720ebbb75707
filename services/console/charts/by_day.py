"""Visitors a day, one column each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.console.charts.theme import FONT_PX, VISITOR_BARS

WIDTH, HEIGHT = 500, 170
_LABELLED = 14
"""Columns that have room for their number."""


def specification(days: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The chart.

    Args:
        days: name (YYYY-MM-DD) and visitors, in order; at least one.
    """
    values = [{"day": day, "visitors": visitors, "label": f"{visitors:,}"} for day, visitors in days]
    axis = {"title": None, "labelAngle": 0, "labelOverlap": True, "ticks": False, "labelPadding": 6}
    layers: list[dict[str, Any]] = [{"mark": {"type": "bar", "color": VISITOR_BARS, "width": {"band": 0.6}}}]
    if len(days) <= _LABELLED:
        above = {"type": "text", "baseline": "bottom", "dy": -4, "fontSize": FONT_PX}
        layers.append({"mark": above, "encoding": {"text": {"field": "label"}}})
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "encoding": {
            "x": {"field": "day", "type": "ordinal", "axis": axis, "scale": {"paddingOuter": 0.2}},
            "y": {
                "field": "visitors",
                "type": "quantitative",
                "axis": {
                    "title": "visitors",
                    "tickCount": 4,
                    "format": ",d",
                    "tickMinStep": 1,
                    "domain": False,
                },
            },
        },
        "layer": layers,
    }
