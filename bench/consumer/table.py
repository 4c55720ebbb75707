"""What the run found, as rows, as goals met or missed, and as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.consumer.ledger import Difference
from bench.consumer.scenarios import Failover, Reading, Split, Stall

MAX_TAKEOVER_MARGIN_S = 2.0
MAX_HANDOFF_S = 1.0
MAX_CHILD_S = 2.0
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured of one consumer."""

    name: str
    reading: Reading
    failovers: Sequence[Failover]
    split: Split
    stall: Stall

    @property
    def takeover_s(self) -> float | None:
        """The slowest take-over; None where one never came."""
        return _slowest([one.takeover.took_s for one in self.failovers])

    @property
    def handoff_s(self) -> float | None:
        """The slowest hand-off; None where one never came."""
        return _slowest([one.handoff.took_s for one in self.failovers])

    @property
    def differences(self) -> list[Difference]:
        """Of every scenario but the stalled sink."""
        return [self.reading.difference, *(one.difference for one in self.failovers), self.split.difference]

    @property
    def lost(self) -> int:
        """Records lost in every scenario but the stalled sink."""
        return sum(one.lost for one in self.differences)

    @property
    def twice(self) -> int:
        """Records handled again in every scenario but the stalled sink."""
        return sum(one.twice for one in self.differences)


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise beside what was measured."""

    title: str
    met: bool
    found: str


def row(result: Result) -> dict[str, Any]:
    """One line of the table, by column; times in seconds, None where something never came."""
    return {
        "records/s": round(result.reading.records_per_s),
        "CPU s per million": round(result.reading.cpu_s_per_million, 1),
        "RSS MB": round(result.reading.rss_mb),
        "hand-off on SIGTERM, s": _rounded(result.handoff_s),
        "take-over after kill -9, s": _rounded(result.takeover_s),
        "stall at a split, s": _rounded(result.split.stall_s),
        "child after its parent, s": _rounded(result.split.after_parent_s),
        "sent": sum(one.sent for one in result.differences),
        "handled twice": result.twice,
        "of these, by the hand-off": sum(one.handoff.twice for one in result.failovers),
        "of these, by kill -9": sum(one.takeover.twice for one in result.failovers),
        "lost": result.lost,
        f"lost, sink stalled {result.stall.stall_s:g} s": result.stall.difference.lost,
        f"of {result.stall.difference.sent}, memory grew by MB": round(result.stall.grown_mb),
    }


def goals(ours: Result, lease_time_s: float, max_open_bytes: int) -> list[Goal]:
    """What the consumer group promises, judged by this run."""
    lost = ours.lost + ours.stall.difference.lost
    limit_s = lease_time_s + MAX_TAKEOVER_MARGIN_S
    limit_mb = max_open_bytes / 1e6
    return [
        Goal("no record lost, a stalled sink included", lost == 0, f"{lost} lost"),
        _within(f"take-over within lease time + {MAX_TAKEOVER_MARGIN_S:g} s", ours.takeover_s, limit_s),
        _within("hand-off on SIGTERM", ours.handoff_s, MAX_HANDOFF_S),
        _within("children read after the parent's end", ours.split.after_parent_s, MAX_CHILD_S),
        Goal(
            "memory within CADABRA_MAX_OPEN_BYTES while the sink stalls",
            ours.stall.grown_mb <= limit_mb,
            f"{ours.stall.grown_mb:.0f} MB above the idle worker of {limit_mb:.0f} MB",
        ),
    ]


def ratios(ours: Result, peer: Result) -> dict[str, float | None]:
    """How many times ours a peer's figure is; None where one of them has none."""
    mine, other = row(ours), row(peer)
    compared = [name for name in list(mine)[:7] if name != "records/s"]
    found: dict[str, float | None] = {"records/s": round(other["records/s"] / mine["records/s"], 2)}
    for name in compared:
        whole = bool(mine[name]) and other[name] is not None
        found[name] = round(other[name] / mine[name], 2) if whole else None
    return found


def markdown(results: Sequence[Result], judged: Sequence[Goal], absent: dict[str, str]) -> str:
    """The table, the ratios and the goals."""
    rows = {result.name: row(result) for result in results}
    names = list(rows)
    lines = [f"| | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    lines += [
        f"| {column} | {' | '.join(_shown(rows[name][column]) for name in names)} |"
        for column in rows[names[0]]
    ]
    lines.append("")
    ours = results[0]
    for peer in results[1:]:
        shown = ", ".join(
            f"{name} x {value:g}" for name, value in ratios(ours, peer).items() if value is not None
        )
        lines += [f"{peer.name} beside ours: {shown}", ""]
    lines += [f"{name}: {why}" for name, why in absent.items()]
    lines.append("")
    lines += [f"- {'pass' if goal.met else 'MISS'}: {goal.title}: {goal.found}" for goal in judged]
    return "\n".join(lines) + "\n"


def _within(title: str, found_s: float | None, limit_s: float) -> Goal:
    if found_s is None:
        return Goal(title, False, f"never (at most {limit_s:g} s)")
    return Goal(title, found_s <= limit_s, f"{found_s:.2f} s (at most {limit_s:g} s)")


def _slowest(found: Sequence[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return max(known) if known and len(known) == len(found) else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _shown(value: Any) -> str:
    return NEVER if value is None else f"{value:,}"
