"""The rule `threshold`: so many orders in so many seconds, worldwide, whatever is usual.

It is the rule of the course this platform grew from (10 orders in 10 seconds), which as an SQL window counts the
orders of the last 10 seconds at each order. Here a window of 10 seconds ends at every whole second.
"""

from __future__ import annotations

from flink_jobs.order_rate_alarm.baseline import TOTAL
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.counts import WindowSums
from flink_jobs.order_rate_alarm.incidents import Incidents
from flink_jobs.order_rate_alarm.rules import Rules

SECOND_MS = 1000
THRESHOLD = Series("threshold", TOTAL, "surge")


class Threshold:
    """Judges windows that slide by one second.

    Args:
        incidents: takes what is unusual; its oddness is 1 by the count.
    """

    def __init__(self, rules: Rules, incidents: Incidents) -> None:
        self.count = rules.threshold_count
        self.window_s = rules.threshold_window_s
        self._incidents = incidents
        self.windows = WindowSums(self.window_s, lambda _: float(self.count), self.count)

    def on_order(self, second: int) -> None:
        """Judge the windows that hold an order."""
        if not self.count:
            return
        for end in self.windows.add(second):
            mark = Mark((end - self.window_s) * SECOND_MS, end * SECOND_MS, 1 / self.windows.sums[end])
            self._incidents.mark(THRESHOLD, mark)

    def prune(self, before_second: int) -> None:
        """Forget the windows that end before a second."""
        self.windows.prune(before_second)
