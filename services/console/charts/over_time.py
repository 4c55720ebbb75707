"""Requests over time, stacked by class of status. Pure."""

from __future__ import annotations

from typing import Any

from services.console.charts.theme import CLASS_COLOURS
from services.console.logs.histogram import Histogram
from services.console.logs.time_range import DAY_MS, INTERVALS_MS, TimeRange

WIDTH, HEIGHT = 1_040, 200


def specification(within: TimeRange, found: Histogram) -> dict[str, Any]:
    """The chart: a bar a step, its colours the classes that occur, time in UTC.

    Args:
        found: covers `within`.
    """
    occurring = [name for name in CLASS_COLOURS if any(step.classes[name] for step in found.steps)]
    length = INTERVALS_MS[found.interval]
    values: list[dict[str, Any]] = []
    for step in found.steps:
        below = 0
        for name in occurring:
            if step.classes[name]:
                above = below + step.classes[name]
                values.append(
                    {"at": step.at_ms, "end": step.at_ms + length, "class": name, "low": below, "high": above}
                )
                below = above
    colours = [CLASS_COLOURS[name] for name in occurring]
    last = max(within.to_ms, found.steps[-1].at_ms + length)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "at",
                "type": "temporal",
                "scale": {"type": "utc", "domain": [found.steps[0].at_ms, last]},
                "axis": {
                    "title": None,
                    "grid": False,
                    "format": _time_format(within),
                    "labelOverlap": True,
                    "tickCount": 9,
                },
            },
            "x2": {"field": "end"},
            "y": {
                "field": "high",
                "type": "quantitative",
                "axis": {
                    "title": "requests",
                    "tickCount": 4,
                    "format": ",d",
                    "tickMinStep": 1,
                    "domain": False,
                },
            },
            "y2": {"field": "low"},
            "color": {
                "field": "class",
                "type": "nominal",
                "scale": {"domain": occurring, "range": colours},
                "legend": {"direction": "horizontal"},
            },
        },
    }


def _time_format(within: TimeRange) -> str:
    if within.length_ms > 10 * DAY_MS:
        return "%e %b"
    return "%e %b %H:%M" if within.length_ms > DAY_MS // 2 else "%H:%M:%S"
