"""Numbers and texts as people read them, and texts from outside made harmless. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from services.console.logs.facets import Value
from services.console.logs.time_range import TimeRange, written

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEPS = {"s": "s", "m": "min", "h": "h", "d": "d"}
_FLAGS = {True: "yes", False: "no"}
ELLIPSIS = "…"


def count(number: int) -> str:
    """With a comma after each three digits."""
    return f"{number:,}"


def size(size_bytes: float) -> str:
    """In the largest unit of which there is at least one, three digits at most."""
    unit = 0
    while size_bytes >= 1000 and unit < len(_UNITS) - 1:
        size_bytes /= 1024
        unit += 1
    digits = 1 if unit and size_bytes < 100 else 0
    return f"{size_bytes:.{digits}f} {_UNITS[unit]}"


def share(part: int, whole: int) -> str:
    """As per cent with one decimal; what is there but rounds to nothing is `<0.1 %`."""
    if whole == 0:
        return "-"
    percent = 100 * part / whole
    return "<0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"


def value(one: Value) -> str:
    """A facet's value."""
    return _FLAGS[one] if isinstance(one, bool) else printable(str(one))


def interval(name: str) -> str:
    """A step of INTERVALS_MS."""
    return f"{name[:-1]} {_STEPS[name[-1]]}"


def moment(at_ms: int) -> str:
    """To the minute."""
    return written(at_ms)[:16].replace("T", " ")


def period(within: TimeRange) -> str:
    """From when until when."""
    return f"{moment(within.from_ms)} to {moment(within.to_ms)} UTC"


def printable(text: str) -> str:
    """The text with everything that could steer a terminal, or turn a line around, shown as its number."""
    return "".join(one if _is_harmless(one) else f"\\u{ord(one):04x}" for one in text)


def width(text: str) -> int:
    """The cells of a terminal that it takes."""
    return sum(_cells(one) for one in text)


def fitted(text: str, cells: int) -> str:
    """The text, cut in its middle where it is too wide, filled up with blanks where it is not wide enough."""
    text = shortened(text, cells, _cells)
    return text + " " * (cells - width(text))


def shortened(text: str, room: float, measure: Callable[[str], float]) -> str:
    """The text, cut in its middle where it is too wide: its end tells paths apart as much as its beginning.

    Args:
        room: for the text, in the unit of `measure`; enough for an ellipsis.
        measure: the width of one character.
    """
    if sum(map(measure, text)) <= room:
        return text
    room -= measure(ELLIPSIS)
    tail = _taken(reversed(text), room / 3, measure)[::-1]
    return _taken(text, room - sum(map(measure, tail)), measure) + ELLIPSIS + tail


def _taken(characters: Iterable[str], room: float, measure: Callable[[str], float]) -> str:
    found, used = "", 0.0
    for one in characters:
        used += measure(one)
        if used > room:
            break
        found += one
    return found


def _is_harmless(one: str) -> bool:
    return one == " " or unicodedata.category(one)[0] not in "CZ"


def _cells(one: str) -> int:
    if unicodedata.combining(one):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1
