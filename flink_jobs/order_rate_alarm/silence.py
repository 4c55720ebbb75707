"""The rule `silence`: no order at all, for so long that the baseline makes it all but impossible.

The time without an order is measured in expected orders, not in minutes: it stands still while the shop is closed,
and an hour of it weighs more at noon than at eight in the evening.
"""

from __future__ import annotations

from functools import lru_cache

from flink_jobs.order_rate_alarm.baseline import TOTAL, Baseline
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.counts import MinuteCounts
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.incidents import Incidents
from flink_jobs.order_rate_alarm.rules import Rules

MINUTE_MS = 60_000
NEVER = float("inf")
SILENCE = Series("silence", TOTAL, "silence")


class Silence:
    """Measures the time since the last order, minute by minute.

    Args:
        counts: orders by key and minute, which the caller keeps up to date before it calls `on_late_order`.
        incidents: takes what is unusual.
    """

    def __init__(self, rules: Rules, counts: MinuteCounts, incidents: Incidents) -> None:
        self._probability = rules.silence_probability
        self._orders = counts
        self._incidents = incidents
        self._baseline: Baseline | None = None
        self._limit = NEVER
        self._judged_from = 0
        self.start: int | None = None
        """The minute from which on there was no order; None as long as none is judged."""
        self._mean = 0.0

    def use(self, baseline: Baseline, judged_from: int, frontier: int) -> None:
        """Judge by a baseline all that ends later than the minute `judged_from`."""
        self._baseline = baseline
        self._judged_from = judged_from
        self._limit = baseline.law(60).silent_mean(self._probability) if self._probability else NEVER
        if self.start is not None:
            self._mean = self._expected(self.start, frontier)

        law: CountLaw = baseline.law(60)

        @lru_cache(maxsize=10_000)
        def chance(mean: float) -> float:
            return law.at_most(0, mean)

        self._chance = chance

    def begin(self, minute: int) -> None:
        """Count from a minute on."""
        self.start, self._mean = minute, 0.0

    def on_late_order(self, minute: int, frontier: int) -> None:
        """Take an order into account that came in a time that was already judged."""
        for mark in self._incidents.marks(SILENCE):
            if (
                mark.start_ms <= minute * MINUTE_MS < mark.end_ms
                and mark.end_ms > self._judged_from * MINUTE_MS
            ):
                self._judge_again(mark, minute + 1)
        if self.start is not None and self.start <= minute:
            self.start, self._mean = minute + 1, self._expected(minute + 1, frontier)

    def on_minute(self, minute: int) -> None:
        """Judge the time up to a minute, which has passed."""
        if self.start is None:
            return
        if (minute - 1) in self._orders.of(TOTAL):
            self.start, self._mean = minute, 0.0
            return
        if self._baseline is None:
            return
        self._mean += self._baseline.rate(TOTAL, minute - 1).low
        if self._mean >= self._limit and minute > self._judged_from:
            mark = Mark(self.start * MINUTE_MS, minute * MINUTE_MS, self._chance(round(self._mean, 4)))
            self._incidents.mark(SILENCE, mark, mark.oddness / self._probability)

    def probability(self, start_minute: int, end_minute: int) -> float:
        """Of no order from one minute to another."""
        return self._chance(round(self._expected(start_minute, end_minute), 4))

    def _judge_again(self, mark: Mark, start: int) -> None:
        self._incidents.unmark(SILENCE, mark)
        end = mark.end_ms // MINUTE_MS
        mean = self._expected(start, end)
        if mean >= self._limit:
            again = Mark(start * MINUTE_MS, mark.end_ms, self._chance(round(mean, 4)))
            self._incidents.mark(SILENCE, again, again.oddness / self._probability)

    def _expected(self, start: int, end: int) -> float:
        """Added up minute by minute as `on_minute` does, so that both come out the same to the last digit."""
        if self._baseline is None:
            return 0.0
        mean = 0.0
        for minute in range(start, end):
            mean += self._baseline.rate(TOTAL, minute).low
        return mean
