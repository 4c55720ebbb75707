"""Bars and columns made of characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def bar(number: float, largest: float, cells: int) -> str:
    """A bar that is as long as the number is large, to an eighth of a cell; anything above zero shows.

    Args:
        largest: what fills all cells.

    Returns:
        Exactly `cells` characters.
    """
    if largest <= 0 or number <= 0:
        return " " * cells
    eighths = max(1, round(number / largest * cells * 8))
    full, rest = divmod(min(eighths, cells * 8), 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(cells)


def columns(numbers: Sequence[int], rows: int) -> list[str]:
    """Columns over time, one for each number, to an eighth of a row; anything above zero shows.

    Args:
        rows: how high the highest one is.

    Returns:
        `rows` lines, the top one first.
    """
    highest = max(numbers, default=0)
    heights = [_height(number, highest, rows * 8) for number in numbers]
    return [
        "".join(_HEIGHTS[max(0, min(8, height - row * 8))] for height in heights)
        for row in reversed(range(rows))
    ]


def summed(numbers: Sequence[int], cells: int) -> tuple[list[int], int]:
    """As many numbers as there are cells, or fewer: neighbours are added up where there are more.

    Returns:
        The sums, and how many numbers each is of; the last may be of fewer.
    """
    group = max(1, -(-len(numbers) // cells))
    return [sum(numbers[start : start + group]) for start in range(0, len(numbers), group)], group


def _height(number: int, highest: int, steps: int) -> int:
    return max(1, round(number / highest * steps)) if number > 0 else 0
