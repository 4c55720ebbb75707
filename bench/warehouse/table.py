"""What was measured as a table for people, and whether each goal is met. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MIB = 2**20
FULL_GOAL_S = 90.0
DAY_GOAL_S = 25.0
MEMORY_GOAL_BYTES = 2_500 * MIB
OURS, COPY = "ours, Spark into Iceberg", "ours, into PostgreSQL"
FULL, DAY = "full load", "one more day"


@dataclass(frozen=True, slots=True)
class Measured:
    """One load by one participant.

    Args:
        copies: how many times the real data.
        load: FULL or DAY.
        lines: of the lake after it; None where it does not say.
        revenue: of the lake after it, as text.
    """

    who: str
    copies: int
    load: str
    elapsed_s: float
    cpu_s: float
    peak_bytes: int
    lines: int | None = None
    revenue: str | None = None


def rows(found: Sequence[Measured]) -> Iterator[str]:
    """The table."""
    yield f"{'':<28}{'data':>6}{'load':>14}{'s':>9}{'CPU s':>9}{'MB':>8}{'us/line':>9}"
    for one in found:
        each = "" if one.load == DAY or not one.lines else f"{one.elapsed_s / one.lines * 1e6:.1f}"
        yield (
            f"{one.who:<28}{f'{one.copies}x':>6}{one.load:>14}{one.elapsed_s:>9.1f}{one.cpu_s:>9.1f}"
            f"{one.peak_bytes / MIB:>8,.0f}{each:>9}"
        )


def goals(found: Sequence[Measured]) -> list[tuple[str, bool]]:
    """Each goal as a sentence, and whether it is met."""
    told = []
    for load, goal_s in ((FULL, FULL_GOAL_S), (DAY, DAY_GOAL_S)):
        took_s = sum(one.elapsed_s for one in found if _ours(one) and (one.copies, one.load) == (1, load))
        told.append((f"{load}, lake and warehouse: {took_s:.1f} s of at most {goal_s:g} s", took_s <= goal_s))
    peak = max(one.peak_bytes for one in found if _ours(one) and one.copies == 1)
    told.append(
        (
            f"memory: {peak / MIB:,.0f} MB of at most {MEMORY_GOAL_BYTES / MIB:,.0f} MB",
            peak <= MEMORY_GOAL_BYTES,
        )
    )
    each = {
        one.copies: one.elapsed_s / one.lines
        for one in found
        if one.who == OURS and one.load == FULL and one.lines
    }
    for copies in sorted(each.keys() - {1}):
        ratio = each[copies] / each[1]
        told.append((f"time of a line at {copies} times the data: {ratio:.2f} times that at 1", ratio <= 1))
    return [*told, *_agreed(found)]


def _agreed(found: Sequence[Measured]) -> Iterator[tuple[str, bool]]:
    """Everybody who loaded the same data has the same lines and the same revenue."""
    for copies, load in sorted({(one.copies, one.load) for one in found}):
        answers = {
            (one.lines, one.revenue)
            for one in found
            if (one.copies, one.load) == (copies, load) and one.lines is not None
        }
        yield f"{load} of {copies}x: all have the same lines and revenue", len(answers) == 1


def _ours(one: Measured) -> bool:
    return one.who in (OURS, COPY)
