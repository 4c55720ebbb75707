"""The rule `learned`, its second look at surges: too many orders of the total in a window longer than the first.

A surge of twice the rate is hard to tell from chance within ten minutes, and lasts longer than these. The longer
window is judged when its end has passed, each minute in which an order came: it costs nothing when an order comes.
What it finds is said of the shorter window that ends with it. So a surge that both find is one and begins when the
shorter one says; if each had a begin of its own, the incident's identity would change while it goes on.
"""

from __future__ import annotations

from flink_jobs.order_rate_alarm.baseline import TOTAL, Baseline
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.counts import MinuteCounts
from flink_jobs.order_rate_alarm.distribution import POISSON
from flink_jobs.order_rate_alarm.incidents import Incidents
from flink_jobs.order_rate_alarm.learned import DIGITS, MINUTE_MS, Limits
from flink_jobs.order_rate_alarm.rules import Rules

SURGE = Series("learned", TOTAL, "surge")


class LongerSurges:
    """Judges the longer windows of the total.

    Args:
        counts: orders by key and minute, which the caller keeps up to date before it calls `on_late_order`.
        incidents: takes what is unusual.
    """

    def __init__(self, rules: Rules, counts: MinuteCounts, incidents: Incidents) -> None:
        self.minutes = rules.surge_window_s // 60
        self._said_of = rules.window_s // 60
        self._probability = rules.surge_window_probability if self.minutes else 0.0
        self._counts = counts
        self._incidents = incidents
        self._baseline: Baseline | None = None
        self._limits = Limits(self._probability, 0.0, POISSON)
        self._judged_from = 0

    def use(self, baseline: Baseline, judged_from: int) -> None:
        """Judge by a baseline all windows that end later than the minute `judged_from`."""
        self._baseline = baseline
        self._limits = Limits(self._probability, 0.0, baseline.law(self.minutes))
        self._judged_from = judged_from

    def on_minute(self, minute: int) -> None:
        """Judge the window that ends at a minute, which has passed."""
        if minute <= self._judged_from:
            return
        oddness = self.verdict(minute)
        if oddness is None:
            return
        start_ms, end_ms = (minute - self._said_of) * MINUTE_MS, minute * MINUTE_MS
        known = self._incidents.marks(SURGE).get(start_ms, end_ms)
        odder = oddness if known is None else min(oddness, known.oddness)
        self._incidents.mark(SURGE, Mark(start_ms, end_ms, odder), oddness / self._probability)

    def on_late_order(self, minute: int, frontier: int) -> None:
        """Judge anew the windows that hold an order which came after they had been judged."""
        for end in range(minute + 1, min(minute + self.minutes, frontier) + 1):
            self.on_minute(end)

    def verdict(self, end_minute: int) -> float | None:
        """How odd a window is; None if it is usual, or if its last minute has no order."""
        if not self._probability or (end_minute - 1) not in self._counts.of(TOTAL):
            return None
        mean, count = self.expected(end_minute), self.count(end_minute)
        return self._limits.high_tail(count, mean) if count >= self._limits.upper(mean) else None

    def expected(self, end_minute: int) -> float:
        """Orders that are expected in a window."""
        if self._baseline is None:
            return 0.0
        return round(self._baseline.expected(TOTAL, end_minute - self.minutes, end_minute).high, DIGITS)

    def count(self, end_minute: int) -> int:
        """Orders in a window."""
        return self._counts.between(TOTAL, end_minute - self.minutes, end_minute)

    def highest_usual(self, end_minute: int) -> float:
        """The highest count of a window that is usual."""
        return self._limits.upper(self.expected(end_minute)) - 1
