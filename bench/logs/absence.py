"""Who is not measured, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
_LONGEST = 200


class Absent(Exception):
    """A participant cannot run on this machine; the message says why, in one line. The rest goes on."""


def present(
    makers: Iterable[tuple[Sequence[str], Callable[..., list[T]]]],
) -> tuple[list[T], dict[str, str]]:
    """Make the participants that can run here.

    Args:
        makers: names of participants, and what makes them all, called with the names, or raises Absent.

    Returns:
        the participants, and for each that is absent its name and why.
    """
    found: list[T] = []
    absent: dict[str, str] = {}
    for names, make in makers:
        try:
            found += make(*names)
        except Absent as reason:
            absent |= dict.fromkeys(names, str(reason))
    return found, absent


def last_line(text: str) -> str:
    """What a program said last, short enough for a line of the table."""
    lines = text.strip().splitlines()
    return lines[-1][:_LONGEST] if lines else "no message"
