"""What the run found, as rows, as goals met or missed, and as text. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

MIN_LINES_PER_CPU_S = 150_000
NOTHING = "-"


class Scope(Enum):
    """What the figures of a participant are of; only equal scopes are compared."""

    LOOP = "loop"
    PROCESS = "process"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Round:
    """One run over `lines` lines."""

    lines: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float


@dataclass(frozen=True, slots=True)
class Right:
    """How many lines of the real and of the hard sample a participant read right.

    Args:
        counted: it tells only how many lines it took; whether its fields are the line's is unknown.
    """

    real: int
    hard: int
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured of one participant.

    Args:
        right: None where it was not judged.
        peer: whether ours has to be better.
    """

    name: str
    scope: Scope
    rounds: Sequence[Round]
    right: Right | None
    peer: bool

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds per million lines, the median of the rounds."""
        return statistics.median(one.cpu_s / one.lines * 1e6 for one in self.rounds)

    @property
    def lines_per_s(self) -> float:
        """Lines per second of wall time, the median of the rounds."""
        return statistics.median(one.lines / one.wall_s for one in self.rounds)


@dataclass(frozen=True, slots=True)
class Samples:
    """How many lines each sample has."""

    real: int
    hard: int


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise beside what was measured."""

    title: str
    met: bool
    found: str


def compared(results: Sequence[Result]) -> dict[Scope, Result]:
    """For each scope the one of ours that the others are compared with: the first."""
    found: dict[Scope, Result] = {}
    for result in results:
        if not result.peer:
            found.setdefault(result.scope, result)
    return found


def row(result: Result, ours: Mapping[Scope, Result], samples: Samples) -> dict[str, Any]:
    """One line of the table, by column; None where there is no figure."""
    right = result.right
    mark = " (counted)" if right is not None and right.counted else ""
    return {
        "measured": result.scope.value,
        "lines/s": round(result.lines_per_s),
        "CPU s per million": round(result.cpu_s_per_million, 2),
        "CPU x ours": round(ratio(ours[result.scope], result), 2),
        f"right of {samples.real:,}": None if right is None else f"{right.real:,}{mark}",
        f"right of {samples.hard:,} hard": None if right is None else f"{right.hard}{mark}",
        "peak RSS MB": round(max(one.peak_rss_mb for one in result.rounds)),
        "wall s": round(statistics.median(one.wall_s for one in result.rounds), 2),
        "lines read": result.rounds[0].lines,
    }


def ratio(ours: Result, other: Result) -> float:
    """How many times the CPU of ours another takes for a line."""
    return other.cpu_s_per_million / ours.cpu_s_per_million


def goals(ours: Mapping[Scope, Result], peers: Sequence[Result], samples: Samples) -> list[Goal]:
    """What the parser promises, judged by this run.

    Args:
        ours: for each scope, the one that peers of that scope are compared with.
    """
    lines_per_cpu_s = 1e6 / ours[Scope.LOOP].cpu_s_per_million
    found = [
        Goal(
            f"at least {MIN_LINES_PER_CPU_S:,} lines parsed and encoded in a CPU second, without enrichment",
            lines_per_cpu_s >= MIN_LINES_PER_CPU_S,
            f"{lines_per_cpu_s:,.0f}",
        )
    ]
    for peer in peers:
        found += [_right(ours[peer.scope], peer, samples), _faster(ours[peer.scope], peer)]
    return found


def _right(ours: Result, peer: Result, samples: Samples) -> Goal:
    all_lines = samples.real + samples.hard
    mine, other = _right_in_all(ours), _right_in_all(peer)
    verb = "takes" if peer.right is not None and peer.right.counted else "has"
    return Goal(
        f"right on more lines than {peer.name}, or on all",
        mine > other or mine == all_lines,
        f"{mine:,} of {all_lines:,}; {peer.name} {verb} {other:,}",
    )


def _faster(ours: Result, peer: Result) -> Goal:
    times = ratio(ours, peer)
    return Goal(f"fewer CPU seconds a line than {peer.name}", times > 1, f"it takes {times:.2f} times ours")


def _right_in_all(result: Result) -> int:
    return 0 if result.right is None else result.right.real + result.right.hard


def markdown(
    results: Sequence[Result],
    ours: Mapping[Scope, Result],
    judged: Sequence[Goal],
    absent: Mapping[str, str],
    samples: Samples,
) -> str:
    """The table, who is not in it and why, and the goals."""
    rows = {result.name: row(result, ours, samples) for result in results}
    columns = list(rows[results[0].name])
    lines = [f"| | {' | '.join(columns)} |", "| --- | --- |" + " ---: |" * (len(columns) - 1)]
    lines += [
        f"| {name} | {' | '.join(_shown(found[column]) for column in columns)} |"
        for name, found in rows.items()
    ]
    lines.append("")
    lines += [f"- not measured: {name}: {why}" for name, why in absent.items()]
    lines += [f"- {'pass' if goal.met else 'MISS'}: {goal.title}: {goal.found}" for goal in judged]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else f"{value:,}"
