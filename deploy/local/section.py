"""The shape of one part of the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.local.target import Target


@dataclass(frozen=True, slots=True)
class Context:
    """What a section is given: the platform, fresh and up, and a way to tell people what goes on.

    Args:
        before: names of the sections that this platform has seen already.
    """

    target: Target
    say: Callable[[str], None]
    before: frozenset[str] = frozenset()


@dataclass(slots=True)
class Section:
    """What a section found.

    Args:
        ok: whether the demonstration passes as far as this section goes.
        rows: label and value, for people.
        notes: lines that follow the rows.
        result: the same for programs; times in seconds.
    """

    name: str
    title: str
    ok: bool = True
    rows: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
