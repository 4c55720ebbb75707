"""How every chart looks: colours that work in light and in dark, type, lines. Pure.

A chart is drawn in its light colours; a page that shows it in the dark changes them by CSS (`dark_css`), for an SVG's
colours are attributes that a style sheet may override. Colours of classes are told apart by people who see no red or
green too. Source of these: Okabe, M. and Ito, K. (2008), Color Universal Design, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

from typing import Any

FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
FONT_PX = 13
TEXT, MUTED, GRID = "#1f2933", "#5f6c7b", "#dde3ea"
BARS = "#0072b2"
NOT_FOUND_BARS = "#d55e00"
VISITOR_BARS = "#009e73"
CLASS_COLOURS = {
    "1xx": "#56b4e9",
    "2xx": "#0072b3",
    "3xx": "#a6b1bd",
    "4xx": "#e69f00",
    "5xx": "#d5330f",
    "other": "#cc79a7",
}
_DARK = {
    TEXT: "#e6ebf0",
    MUTED: "#a3b0bd",
    GRID: "#33404d",
    BARS: "#58a6dd",
    NOT_FOUND_BARS: "#f08a4b",
    VISITOR_BARS: "#35c49a",
    "#0072b3": "#58a6de",
    "#a6b1bd": "#76838f",
    "#d5330f": "#ff6a55",
}

CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "text": {"color": TEXT, "fontSize": FONT_PX},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
    },
    "legend": {
        "labelColor": TEXT,
        "labelFontSize": 12,
        "title": None,
        "orient": "top",
        "symbolType": "square",
        "symbolStrokeWidth": 0,
        "offset": 4,
    },
}


def dark_css(selector: str) -> str:
    """Rules that give the charts below a selector their dark colours."""
    rules = [
        f'{selector} [{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in _DARK.items()
        for attribute in ("fill", "stroke")
    ]
    return "\n".join(rules)
