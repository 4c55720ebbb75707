"""What one pass at the highest sensitivity says of all lower ones.

A lower sensitivity finds the same windows without those that are not odd enough for it. So the incidents at each
sensitivity follow from one list of unusual windows; that they equal the detector's own is a test.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from flink_jobs.order_rate_alarm.backtest.injection import Injection
from flink_jobs.order_rate_alarm.backtest.replay import Found
from flink_jobs.order_rate_alarm.clusters import Cluster, Marks, Series
from flink_jobs.order_rate_alarm.rules import Rules

MINUTE_MS = 60_000
WEEK_MS = 7 * 86_400_000
LATE_MS = 2 * MINUTE_MS
"""After the end of an injection it may still be found for so long: a drop is judged when its last window has passed."""


@dataclass(frozen=True)
class Level:
    """One sensitivity: all probabilities at which a window is unusual, as multiples of others.

    Args:
        times: so many times those of the default rules.
        share: the same as a share of those of the pass.
    """

    times: float
    share: float = 1.0

    def includes(self, one: Found) -> bool:
        """Whether a window is found at this sensitivity."""
        return one.share <= self.share


@dataclass
class Outcome:
    """What a sensitivity finds.

    Args:
        delays_ms: for each injection, from its begin to its detection; None if it was not found.
        false: incidents outside every injected interval.
    """

    level: Level
    delays_ms: list[int | None]
    false: list[tuple[Series, Cluster]] = field(default_factory=list)
    weeks: float = 1.0

    def false_a_week(self, direction: str | None = None) -> float:
        """False incidents a week, of one direction or of all."""
        return sum(direction in (None, series.direction) for series, _ in self.false) / self.weeks

    def first_found(self, found: Iterable[Found]) -> list[Found]:
        """For each false incident, its unusual window that was found first."""
        firsts: dict[tuple[Series, int], Found] = {}
        for one in found:
            if not self.level.includes(one):
                continue
            for series, cluster in self.false:
                if (
                    series == one.series
                    and cluster.start_ms <= one.mark.start_ms
                    and one.mark.end_ms <= cluster.end_ms
                ):
                    firsts.setdefault((series, cluster.start_ms), one)
        return list(firsts.values())


def scaled(rules: Rules, times: float) -> Rules:
    """The rules that learn, at so many times their probabilities; the others are off."""
    return replace(
        rules,
        threshold_count=0,
        surge_probability=rules.surge_probability * times,
        surge_window_probability=rules.surge_window_probability * times,
        drop_probability=rules.drop_probability * times,
        silence_probability=rules.silence_probability * times,
    )


def outcome(found: Iterable[Found], level: Level, injections: Sequence[Injection], rules: Rules) -> Outcome:
    """Look at a pass with the eyes of one sensitivity."""
    marks: dict[Series, Marks] = {}
    delays: list[int | None] = [None] * len(injections)
    starts = [each.start_ms for each in injections]
    joins_ms = (rules.resolve_s + rules.gap_s) * 1000
    for one in found:
        if one.series.rule == "threshold" or not level.includes(one):
            continue
        if one.series not in marks:
            marks[one.series] = Marks(joins_ms)
        marks[one.series].put(one.mark)
        number = bisect_right(starts, one.found_ms) - 1
        if number >= 0 and delays[number] is None and _finds(one, injections[number]):
            delays[number] = one.found_ms - starts[number]
    result = Outcome(level, delays)
    for series, each in marks.items():
        result.false += [
            (series, cluster) for cluster in each.clusters if not _touches(cluster, injections, starts)
        ]
    return result


def _finds(one: Found, injection: Injection) -> bool:
    surge = one.series.direction == "surge"
    overlaps = one.mark.start_ms < injection.end_ms and one.mark.end_ms > injection.start_ms
    return overlaps and surge == (injection.kind == "surge") and one.found_ms <= injection.end_ms + LATE_MS


def _touches(cluster: Cluster, injections: Sequence[Injection], starts: list[int]) -> bool:
    number = bisect_right(starts, cluster.end_ms)
    return any(
        cluster.start_ms < injections[n].end_ms and cluster.end_ms > injections[n].start_ms
        for n in range(max(0, number - 3), number)
    )
