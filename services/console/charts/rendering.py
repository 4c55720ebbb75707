"""From a Vega-Lite specification to SVG, without a browser and without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vl_convert

from services.console.charts.theme import CONFIG

VEGA_LITE = "6.4"


def svg(specification: Mapping[str, Any]) -> str:
    """Draw a chart.

    Args:
        specification: of Vega-Lite, with its data inside.

    Returns:
        One `svg` element; texts from the data are escaped in it.
    """
    return vl_convert.vegalite_to_svg(
        dict(specification), vl_version=VEGA_LITE, config=CONFIG, allowed_base_urls=[]
    )


def png(specification: Mapping[str, Any]) -> bytes:
    """Draw a chart on white, twice as large as its pixels, for programs that show no SVG."""
    drawn: bytes = vl_convert.vegalite_to_png(
        dict(specification),
        vl_version=VEGA_LITE,
        config={**CONFIG, "background": "#ffffff"},
        scale=2,
        allowed_base_urls=[],
    )
    return drawn
