"""All rules together: what each order and each minute that has passed is judged by, and what a record tells of it."""

from __future__ import annotations

from collections.abc import MutableMapping

from flink_jobs.order_rate_alarm.baseline import TOTAL, Baseline
from flink_jobs.order_rate_alarm.clusters import Series
from flink_jobs.order_rate_alarm.counts import MinuteCounts
from flink_jobs.order_rate_alarm.incidents import Incidents, Settings
from flink_jobs.order_rate_alarm.learned import Learned, Length
from flink_jobs.order_rate_alarm.longer import SURGE, LongerSurges
from flink_jobs.order_rate_alarm.record import Window
from flink_jobs.order_rate_alarm.rules import Rules
from flink_jobs.order_rate_alarm.silence import Silence
from flink_jobs.order_rate_alarm.threshold import Threshold

MINUTE_MS = 60_000
INFO, WARNING, CRITICAL = 0, 1, 2
MUCH_OVER_THRESHOLD = 3
"""So many times the limit of the rule `threshold` is critical."""


class Judging:
    """The rules over one set of counts, and the incidents that come of them.

    Args:
        changed: takes the state entries that changed; None removes one.
    """

    def __init__(self, rules: Rules, changed: MutableMapping[str, bytes | None]) -> None:
        self._rules = rules
        self.baseline: Baseline | None = None
        self.judged_from = 0
        """The minute up to which verdicts stand as they are: they were passed by an earlier baseline."""
        self.counts = MinuteCounts()
        settings = Settings(rules.resolve_s * 1000, rules.gap_s * 1000)
        self.incidents = Incidents(settings, self, changed)
        self.threshold = Threshold(rules, self.incidents)
        self.surges = Learned(rules, Length.of(rules), self.counts, self.incidents)
        self.learned = [self.surges]
        if rules.drop_window_s:
            self.learned.append(Learned(rules, Length.of_drops(rules), self.counts, self.incidents))
        self.longer = LongerSurges(rules, self.counts, self.incidents)
        self.silence = Silence(rules, self.counts, self.incidents)
        self.judged = 0

    def use(self, baseline: Baseline, judged_from: int, frontier: int) -> None:
        """Judge by a baseline what ends later than the minute `judged_from`."""
        self.baseline, self.judged_from = baseline, judged_from
        for learned in self.learned:
            learned.use(baseline, judged_from)
        self.longer.use(baseline, judged_from)
        self.silence.use(baseline, judged_from, frontier)

    def count(self, second: int, country: str, frontier: int) -> None:
        """Count one order and judge at once what it changes; `frontier`: the minute up to which time has passed."""
        minute, key = second // 60, f"country:{country}"
        self.counts.add(TOTAL, minute)
        self.counts.add(key, minute)
        self.threshold.on_order(second)
        self.surges.on_order(TOTAL, minute)
        self.surges.on_order(key, minute)
        if minute < frontier:
            self._count_late(minute, key, frontier)

    def _count_late(self, minute: int, key: str, frontier: int) -> None:
        """Judge anew what an order changes that came after its time was judged."""
        for learned in self.learned:
            learned.on_late_order(TOTAL, minute)
            learned.on_late_order(key, minute)
        self.longer.on_late_order(minute, frontier)
        self.silence.on_late_order(minute, frontier)

    def pass_minute(self, minute: int, complete_from: int) -> None:
        """Judge what is known once the time up to a minute has passed."""
        self.judged += 1
        for learned in self.learned:
            learned.on_minute(minute, complete_from)
        self.longer.on_minute(minute)
        self.silence.on_minute(minute)

    def prune(self, before_minute: int, gone: list[int]) -> None:
        """Forget the minutes that are gone, and the windows that end before the first one that is kept."""
        self.counts.forget(gone)
        self.surges.prune(before_minute)
        self.threshold.prune(before_minute * 60)

    # What a record tells

    def window(self, series: Series, start_ms: int, end_ms: int) -> Window:
        """Counted and expected orders of a window, and what of that is usual."""
        start, end = start_ms // MINUTE_MS, -(-end_ms // MINUTE_MS)
        if series.rule == "threshold":
            return self._threshold_window(start_ms, end_ms)
        observed = self.counts.between(series.key, start, end)
        baseline = self.baseline
        if baseline is None:
            return Window(start_ms, end_ms, observed, None, None, None, None, None, None)
        if series.rule == "silence":
            expected = baseline.expected(TOTAL, start, end).low
            probability = self.silence.probability(start, end) if not observed else 1.0
            low, high = 1.0, None
        else:
            surge, learned = series.direction == "surge", self._learned(end - start)
            probability = learned.probability(series.key, end, observed, surge)
            longer = self.longer.verdict(end) if series == SURGE else None
            if longer is not None and longer < probability:
                return self._longer_window(end, longer, baseline)
            expected, low, high = learned.band(series.key, end, surge)
            high = None if high == float("inf") else high
        return Window(
            start_ms, end_ms, observed, expected, low, high, probability, baseline.currency, baseline.version
        )

    def _longer_window(self, end: int, oddness: float, baseline: Baseline) -> Window:
        longer = self.longer
        start_ms, end_ms = (end - longer.minutes) * MINUTE_MS, end * MINUTE_MS
        expected, high, count = longer.expected(end), longer.highest_usual(end), longer.count(end)
        money, version = baseline.currency, baseline.version
        return Window(start_ms, end_ms, count, expected, 0.0, high, oddness, money, version)

    def _threshold_window(self, start_ms: int, end_ms: int) -> Window:
        observed = self.threshold.windows.sums.get(end_ms // 1000, 0)
        baseline, limit = self.baseline, float(max(0, self.threshold.count - 1))
        if baseline is None:
            return Window(start_ms, end_ms, observed, None, None, limit, None, None, None)
        rate = baseline.rate(TOTAL, start_ms // MINUTE_MS).high
        expected = rate * (end_ms - start_ms) / MINUTE_MS
        return Window(
            start_ms, end_ms, observed, expected, None, limit, None, baseline.currency, baseline.version
        )

    def length_ms(self, series: Series) -> int:
        """How long a window of this series is; of a silence, the one that shows that it is over."""
        return (self._rules.threshold_window_s if series.rule == "threshold" else self._rules.window_s) * 1000

    def money(self, series: Series, start_ms: int, end_ms: int) -> float | None:
        """Orders above or below what is expected, at the usual value of one."""
        if self.baseline is None:
            return None
        start, end = start_ms // MINUTE_MS, -(-end_ms // MINUTE_MS)
        expected = self.baseline.expected(series.key, start, end)
        observed = self.counts.between(series.key, start, end)
        orders = observed - expected.high if series.direction == "surge" else expected.low - observed
        return max(0.0, orders) * self.baseline.value(series.key)

    def severity(self, series: Series, oddness: float, money: float | None) -> int:
        """By probability and money; without a baseline by how far the threshold is passed."""
        value = money or 0.0
        rules = self._rules
        if series.rule == "threshold":
            much = oddness * MUCH_OVER_THRESHOLD * self.threshold.count <= 1
            return CRITICAL if much else WARNING
        unlikely = oddness <= rules.critical_probability
        if unlikely and value >= rules.critical_value:
            return CRITICAL
        return WARNING if unlikely or value >= rules.warning_value else INFO

    def oddness(self, series: Series, start_ms: int, end_ms: int, written: float) -> float:
        """How odd a restored window is, by the orders that are restored; what an earlier baseline said, stands."""
        if series.rule == "threshold":
            return 1 / max(1, self.threshold.windows.sums.get(end_ms // 1000, 0))
        start, end = start_ms // MINUTE_MS, end_ms // MINUTE_MS
        if self.baseline is None or end <= self.judged_from or self._is_folded(series, start_ms, end_ms):
            return written
        if series.rule == "silence":
            return self.silence.probability(start, end)
        observed = self.counts.between(series.key, start, end)
        surge = series.direction == "surge"
        oddness = self._learned(end - start).probability(series.key, end, observed, surge)
        longer = self.longer.verdict(end) if series == SURGE else None
        return oddness if longer is None else min(oddness, longer)

    def _learned(self, minutes: int) -> Learned:
        return next((each for each in self.learned if each.length.minutes == minutes), self.learned[0])

    def _is_folded(self, series: Series, start_ms: int, end_ms: int) -> bool:
        """Several old windows were made one: their orders are gone."""
        minutes = (end_ms - start_ms) // MINUTE_MS
        return series.rule == "learned" and all(each.length.minutes != minutes for each in self.learned)
