"""How wide a text is at most in the charts' type, whatever usual sans-serif the reader has. Pure.

The program that draws cuts texts too, by the one font that it knows, and fails where its cut meets half of a character
outside Unicode's first plane. So texts are cut before they are drawn.

Source: advance widths of DejaVu Sans, the widest of the usual ones, https://dejavu-fonts.github.io
"""

from __future__ import annotations

import unicodedata

from services.console.charts.theme import FONT_PX

_NARROW, _WIDE, _WIDEST = (
    frozenset("iljI.,:;'|!/\\-()[]{}ftr \""),
    frozenset("w~+<>=#^"),
    frozenset("WMm@%&…"),
)


def pixels(character: str) -> float:
    """The room that one character takes at most, in the chart's pixels."""
    return FONT_PX * _share(character)


def _share(character: str) -> float:
    if character in _NARROW:
        return 0.46
    if character in _WIDEST:
        return 1.02
    if character in _WIDE:
        return 0.85
    if character.isascii():
        return 0.8 if character.isupper() else 0.64
    if unicodedata.combining(character):
        return 0.0
    return 1.4 if unicodedata.east_asian_width(character) in "WF" else 1.05
