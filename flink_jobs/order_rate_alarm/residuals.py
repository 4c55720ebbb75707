"""What was counted against what was expected, and the laws of counts that follow from it.

By moments: E (n - e)^2 = e (1 + clumping) + drift e^2, where n was counted and e was expected. The drift is found
from whole days, the clumping from pieces of ten minutes, of half an hour and of an hour, all drawn towards what is
usual of a shop.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.history import TEN_MINUTES

PRIOR = {10: CountLaw(0.4, 0.05), 30: CountLaw(0.65, 0.05), 60: CountLaw(0.9, 0.05)}
"""By minutes: the law before anything is seen."""
PRIOR_ORDERS = 200.0
"""It weighs as much as so many orders, and for the drift as `PRIOR_DAYS`."""
PRIOR_DAYS = 8.0


@dataclass
class Residuals:
    """Sums over days, and over their pieces of ten minutes, half an hour and an hour: of (n - e)^2 - e, and of e^2."""

    days: int = 0
    expected: float = 0.0
    ten: float = 0.0
    ten_squares: float = 0.0
    half: float = 0.0
    half_squares: float = 0.0
    hour: float = 0.0
    hour_squares: float = 0.0
    day: float = 0.0
    day_squares: float = 0.0

    def compare(self, counts: list[int], rates: tuple[float, ...]) -> None:
        """Take one day's counts of ten minutes and the rates expected for its half hours."""
        expected = [rates[piece // 3] / 3 for piece in range(TEN_MINUTES)]
        whole = sum(expected)
        self.days += 1
        self.expected += whole
        for n, e in zip(counts, expected, strict=True):
            self.ten += (n - e) ** 2 - e
            self.ten_squares += e * e
        for start in range(0, TEN_MINUTES, 3):
            n, e = sum(counts[start : start + 3]), sum(expected[start : start + 3])
            self.half += (n - e) ** 2 - e
            self.half_squares += e * e
        for start in range(0, TEN_MINUTES, 6):
            n, e = sum(counts[start : start + 6]), sum(expected[start : start + 6])
            self.hour += (n - e) ** 2 - e
            self.hour_squares += e * e
        self.day += (sum(counts) - whole) ** 2 - whole
        self.day_squares += whole * whole

    def add(self, other: Residuals) -> None:
        """Take over another's sums."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def laws(self) -> dict[int, CountLaw]:
        """Of ten minutes, of half an hour, and of an hour and more."""
        drift = self._drift()
        sums = {
            10: (self.ten, self.ten_squares),
            30: (self.half, self.half_squares),
            60: (self.hour, self.hour_squares),
        }
        laws = {}
        for minutes, (residual, squares) in sums.items():
            excess = residual - drift * squares + PRIOR[minutes].clumping * PRIOR_ORDERS
            laws[minutes] = CountLaw(round(max(0.0, excess / (self.expected + PRIOR_ORDERS)), 4), drift)
        return laws

    def _drift(self) -> float:
        usual_day = self.day_squares / self.days if self.days else 1.0
        prior = PRIOR_DAYS * usual_day
        seen = max(0.0, self.day - PRIOR[60].clumping * self.expected)
        return round((seen + PRIOR[60].drift * prior) / (self.day_squares + prior), 5)
