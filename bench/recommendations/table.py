"""What was measured as a table for people, and whether each goal is met. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.recommendations.publishing import Published

MIB = 2**20
OURS = "ours"
CHOOSE, FIT, LISTS = "choose", "fit", "lists"
MEMORY_GROWTH = 1.25
MEMORY_GOAL_BYTES = 3 * 1024 * MIB


@dataclass(frozen=True, slots=True)
class Took:
    """One part of the work of one participant.

    Args:
        copies: how many times the real customers.
        part: CHOOSE, FIT or LISTS.
        peak_bytes: of the whole process.
    """

    who: str
    copies: int
    customers: int
    part: str
    elapsed_s: float
    cpu_s: float
    peak_bytes: int


def rows(found: Sequence[Took]) -> Iterator[str]:
    """The table."""
    yield f"{'':<28}{'data':>6}{'':>10}{'s':>9}{'CPU s':>9}{'MB':>8}{'CPU ms/customer':>17}"
    for one in found:
        each = one.cpu_s / one.customers * 1000
        yield (
            f"{one.who:<28}{f'{one.copies}x':>6}{one.part:>10}{one.elapsed_s:>9.1f}{one.cpu_s:>9.1f}"
            f"{one.peak_bytes / MIB:>8,.0f}{each:>17.2f}"
        )


def published_rows(found: Published) -> Iterator[str]:
    """What a publication took."""
    each = found.records / 1000
    yield (
        f"publish {found.records:,} records of {found.size_bytes / found.records / 1024:.1f} KiB: "
        f"{found.elapsed_s:.1f} s, {found.cpu_s:.1f} s of CPU, {found.peak_bytes / MIB:,.0f} MB; "
        f"{found.elapsed_s / each:.2f} s for 1,000, the bare writes {found.bare_s / each:.2f} s"
    )


def goals(found: Sequence[Took]) -> list[tuple[str, bool]]:
    """Each goal as a sentence, and whether it is met."""
    ours = [one for one in found if one.who == OURS]
    peak = max(one.peak_bytes for one in ours)
    told = [
        (
            f"memory: {peak / MIB:,.0f} MB of at most {MEMORY_GOAL_BYTES / MIB:,.0f} MB",
            peak <= MEMORY_GOAL_BYTES,
        )
    ]
    base = {one.part: one for one in ours if one.copies == 1}
    for copies in sorted({one.copies for one in ours} - {1}):
        grown = [one for one in ours if one.copies == copies and one.part in base]
        ratio = _each(grown) / _each([base[one.part] for one in grown])
        told.append((f"CPU time of a customer at {copies}x: {ratio:.2f} times that at 1x", ratio <= 1))
        more = max(one.peak_bytes for one in grown) / max(one.peak_bytes for one in base.values())
        told.append(
            (
                f"memory at {copies}x: {more:.2f} times that at 1x, at most {MEMORY_GROWTH:g}",
                more <= MEMORY_GROWTH,
            )
        )
    return told


def _each(parts: Sequence[Took]) -> float:
    """CPU seconds of a customer, all parts together."""
    return sum(one.cpu_s for one in parts) / parts[0].customers
