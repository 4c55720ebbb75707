"""The rule `learned`: windows with many more or fewer orders than the baseline expects."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from flink_jobs.order_rate_alarm.baseline import NOTHING, TOTAL, Baseline, Rate
from flink_jobs.order_rate_alarm.clusters import Mark, Series
from flink_jobs.order_rate_alarm.counts import MinuteCounts, WindowSums
from flink_jobs.order_rate_alarm.distribution import POISSON, CountLaw
from flink_jobs.order_rate_alarm.incidents import Incidents
from flink_jobs.order_rate_alarm.rules import Rules

MINUTE_MS = 60_000
NEVER = float("inf")
DIGITS = 3
"""Decimals of an expected count that limits are looked up by."""


class Limits:
    """Counts from which on a window is unusual, by what is expected in it; each is worked out once.

    Args:
        surge, drop: probabilities at which it is; 0: never.
    """

    def __init__(self, surge: float, drop: float, law: CountLaw) -> None:
        self.surge, self.drop = surge, drop
        self.least_for_drop = law.silent_mean(drop) if drop else NEVER
        """Below this many expected orders not even none at all is a drop."""

        @lru_cache(maxsize=20_000)
        def upper(mean: float) -> float:
            return law.upper_limit(surge, mean) if surge and mean > 0 else NEVER

        @lru_cache(maxsize=20_000)
        def lower(mean: float) -> int:
            return law.lower_limit(drop, mean) if mean >= self.least_for_drop else -1

        @lru_cache(maxsize=50_000)
        def high_tail(count: int, mean: float) -> float:
            return law.at_least(count, mean)

        @lru_cache(maxsize=50_000)
        def low_tail(count: int, mean: float) -> float:
            return law.at_most(count, mean)

        self.upper, self.lower, self.high_tail, self.low_tail = upper, lower, high_tail, low_tail


class Length(NamedTuple):
    """Windows of one length, in minutes.

    Args:
        minutes: of a window.
        step: from the end of one to the end of the next.
        surges: whether surges are looked for in them, not only drops.
    """

    minutes: int
    step: int
    surges: bool

    @classmethod
    def of(cls, rules: Rules) -> Length:
        """The windows of surges and drops."""
        return cls(rules.window_s // 60, rules.step_s // 60, True)

    @classmethod
    def of_drops(cls, rules: Rules) -> Length:
        """The longer windows of drops."""
        return cls(rules.drop_window_s // 60, rules.drop_step_s // 60, False)


class Learned:
    """Judges sliding windows of one length, of the total and of each country of which enough orders are expected.

    Args:
        counts: orders by key and minute, which the caller keeps up to date before it calls `on_order`.
        incidents: takes what is unusual.
    """

    def __init__(self, rules: Rules, length: Length, counts: MinuteCounts, incidents: Incidents) -> None:
        self._rules = rules
        self.length = length
        self._counts = counts
        self._incidents = incidents
        self._baseline: Baseline | None = None
        self._limits = self._country_limits = _limits(rules, POISSON, 1.0)
        self._judged_from = 0
        self._windows: dict[str, WindowSums] = {}
        """Of the keys that may have a surge: a country that never expects enough is not even summed up."""
        self._dropping: list[str] = []
        """The keys that may have a drop."""
        self._series: dict[str, tuple[Series, Series]] = {}

    def use(self, baseline: Baseline, judged_from: int) -> None:
        """Judge by a baseline all windows that end later than the minute `judged_from`."""
        self._baseline = baseline
        law = baseline.law(self.length.minutes)
        self._limits = _limits(self._rules, law, 1.0)
        self._country_limits = _limits(self._rules, law, self._rules.country_share)
        self._judged_from = judged_from
        most = {key: baseline.most_expected(key, self.length.minutes) for key in baseline.keys}
        judged = [key for key, orders in most.items() if self._enough(key, orders)]
        self._series = {
            key: (Series("learned", key, "surge"), Series("learned", key, "drop")) for key in judged
        }
        self._dropping = [key for key in judged if most[key] >= self._of(key).least_for_drop]
        self._windows = {key: self._window_sums(key) for key in judged} if self.length.surges else {}
        for key, windows in self._windows.items():
            self._judge_anew(key, windows)

    def on_order(self, key: str, minute: int) -> None:
        """Judge the windows that hold an order that was just counted."""
        windows = self._windows.get(key)
        if windows is not None:
            for end in windows.add(minute // self.length.step):
                self._mark_surge(key, windows, end)

    def on_late_order(self, key: str, minute: int) -> None:
        """Judge anew the drops in whose windows an order came after they had been judged."""
        if key not in self._dropping:
            return
        drop = self._series[key][1]
        first_ms, last_ms = minute * MINUTE_MS, (minute + self.length.minutes) * MINUTE_MS
        for mark in self._incidents.marks(drop):
            if (
                first_ms < mark.end_ms <= last_ms
                and mark.end_ms - mark.start_ms == self.length.minutes * MINUTE_MS
            ):
                self._judge_drop_again(drop, mark)

    def on_minute(self, minute: int, complete_from: int) -> None:
        """Judge whether the windows that end at a minute, which has passed, hold too few."""
        start = minute - self.length.minutes
        if minute % self.length.step or minute <= self._judged_from or start < complete_from:
            return
        for key in self._dropping:
            mean, limits = self.low_mean(key, minute), self._of(key)
            if key == TOTAL and not mean:
                return  # while the shop is closed no country expects any either
            if mean < limits.least_for_drop or not self._enough(key, mean):
                continue
            count = self._counts.between(key, start, minute)
            if count <= limits.lower(mean):
                oddness = limits.low_tail(count, mean)
                mark = Mark(start * MINUTE_MS, minute * MINUTE_MS, oddness)
                self._incidents.mark(self._series[key][1], mark, oddness / limits.drop)

    def band(self, key: str, end_minute: int, surge: bool) -> tuple[float, float, float]:
        """Of one window: expected orders, and the lowest and the highest count that is usual."""
        mean = self.high_mean(key, end_minute) if surge else self.low_mean(key, end_minute)
        upper = self._of(key).upper(self.high_mean(key, end_minute))
        low = self._of(key).lower(self.low_mean(key, end_minute)) + 1
        return mean, float(low), (upper - 1 if upper < NEVER else NEVER)

    def probability(self, key: str, end_minute: int, count: int, surge: bool) -> float:
        """Of a count at least as unusual, to the one side or the other."""
        if surge:
            return self._limits.high_tail(count, self.high_mean(key, end_minute))
        return self._limits.low_tail(count, self.low_mean(key, end_minute))

    def low_mean(self, key: str, end_minute: int) -> float:
        """Orders that are expected in a window if too few are looked for."""
        return round(self._expected(key, end_minute).low, DIGITS)

    def high_mean(self, key: str, end_minute: int) -> float:
        """Orders that are expected in a window if too many are looked for."""
        return round(self._expected(key, end_minute).high, DIGITS)

    def prune(self, before_minute: int) -> None:
        """Forget the windows that end before a minute."""
        for windows in self._windows.values():
            windows.prune(before_minute // self.length.step)

    def _expected(self, key: str, end_minute: int) -> Rate:
        if self._baseline is None:
            return NOTHING
        return self._baseline.expected(key, end_minute - self.length.minutes, end_minute)

    def _of(self, key: str) -> Limits:
        return self._limits if key == TOTAL else self._country_limits

    def _enough(self, key: str, mean: float) -> bool:
        return key == TOTAL or mean >= self._rules.country_min_expected

    def _window_sums(self, key: str) -> WindowSums:
        def limit(end: int) -> float:
            minute = end * self.length.step
            if minute <= self._judged_from:
                return NEVER
            mean = self.high_mean(key, minute)
            return self._of(key).upper(mean) if self._enough(key, mean) else NEVER

        width = self.length.minutes // self.length.step
        return WindowSums(width, limit, self._of(key).upper(round(self._least_mean(key), DIGITS)))

    def _least_mean(self, key: str) -> float:
        """No window that is judged expects less: the limit rises with what is expected."""
        if self._baseline is None:
            return 0.0
        least = self._baseline.least_expected(key, self.length.minutes)
        return least if key == TOTAL else max(least, self._rules.country_min_expected)

    def _judge_anew(self, key: str, windows: WindowSums) -> None:
        surge = self._series[key][0]
        unusual = set(
            windows.fill((minute // self.length.step, n) for minute, n in self._counts.of(key).items())
        )
        for mark in self._incidents.marks(surge):
            end = mark.end_ms // MINUTE_MS
            if end > self._judged_from and end // self.length.step not in unusual:
                self._incidents.unmark(surge, mark)
        for end in sorted(unusual):
            self._mark_surge(key, windows, end)

    def _mark_surge(self, key: str, windows: WindowSums, end: int) -> None:
        minute = end * self.length.step
        oddness = self._limits.high_tail(windows.sums[end], self.high_mean(key, minute))
        mark = Mark((minute - self.length.minutes) * MINUTE_MS, minute * MINUTE_MS, oddness)
        self._incidents.mark(self._series[key][0], mark, oddness / self._of(key).surge)

    def _judge_drop_again(self, series: Series, mark: Mark) -> None:
        start, minute = mark.start_ms // MINUTE_MS, mark.end_ms // MINUTE_MS
        if minute <= self._judged_from:
            return
        mean, count = self.low_mean(series.key, minute), self._counts.between(series.key, start, minute)
        limits = self._of(series.key)
        if count > limits.lower(mean):
            self._incidents.unmark(series, mark)
        else:
            oddness = limits.low_tail(count, mean)
            self._incidents.mark(series, mark._replace(oddness=oddness), oddness / limits.drop)


def _limits(rules: Rules, law: CountLaw, share: float) -> Limits:
    return Limits(rules.surge_probability * share, rules.drop_probability * share, law)
