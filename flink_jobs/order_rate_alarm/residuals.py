"""What was counted against what was expected, and the laws of counts that follow from it.

`drift` and the hour's `clumping` are found by moments: E (n - e)^2 = e (1 + clumping) + drift e^2. The laws of ten
minutes and of half an hour are those of highest likelihood on a grid, times a prior which says that bursts are rare.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.history import TEN_MINUTES

PRIOR_ORDERS = 200.0
PRIOR_DAYS = 8.0
PRIOR_HOUR = CountLaw(0.9, 0.05)
"""The law of an hour before anything is seen; it weighs as 200 orders and, for the drift, as 8 days."""
CLUMPINGS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3)
BURST_SHARES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08)
BURST_FACTORS = (1.5, 3.0, 6.0)
"""Orders of a burst, in multiples of a busy window's; at least 2."""
PRIOR_BURSTS, PRIOR_PLAIN = 2.0, 200.0
"""Before anything is seen, bursts are as if 2 windows in 202 had had one."""
BINS_EACH_DOUBLING = 4
"""Expected orders are put into bins whose width is a quarter of a doubling."""
LEAST = 0.03
"""Of windows of which fewer orders than this are expected nothing is learned."""


@dataclass
class Residuals:
    """Sums over what was counted (n) and expected (e), for pieces of ten minutes, hours and days."""

    expected: float = 0.0
    hour: float = 0.0
    hour_squares: float = 0.0
    day: float = 0.0
    day_squares: float = 0.0
    days: int = 0
    pieces: dict[int, Counter[tuple[int, int]]] = field(
        default_factory=lambda: {10: Counter(), 30: Counter()}
    )
    """By minutes: how many pieces of this length there were, by bin of e and by n."""

    def compare(self, counts: list[int], rates: tuple[float, ...]) -> None:
        """Take one day's counts of ten minutes and the rates expected for its half hours."""
        expected = [rates[piece // 3] / 3 for piece in range(TEN_MINUTES)]
        whole = sum(expected)
        self.expected += whole
        self.days += 1
        for minutes, pieces in self.pieces.items():
            width = minutes // 10
            for start in range(0, TEN_MINUTES, width):
                e = sum(expected[start : start + width])
                if e >= LEAST:
                    n = sum(counts[start : start + width])
                    pieces[round(math.log2(e) * BINS_EACH_DOUBLING), n] += 1
        for start in range(0, TEN_MINUTES, 6):
            e, n = sum(expected[start : start + 6]), sum(counts[start : start + 6])
            self.hour += (n - e) ** 2 - e
            self.hour_squares += e * e
        self.day += (sum(counts) - whole) ** 2 - whole
        self.day_squares += whole * whole

    def add(self, other: Residuals) -> None:
        """Take over another's sums."""
        self.expected += other.expected
        self.hour += other.hour
        self.hour_squares += other.hour_squares
        self.day += other.day
        self.day_squares += other.day_squares
        self.days += other.days
        for minutes, pieces in self.pieces.items():
            pieces.update(other.pieces[minutes])

    def laws(self) -> dict[int, CountLaw]:
        """Of ten minutes, of half an hour, and of an hour and more."""
        drift = self._drift()
        excess = self.hour - drift * self.hour_squares + PRIOR_HOUR.clumping * PRIOR_ORDERS
        hour = CountLaw(round(max(0.0, excess / (self.expected + PRIOR_ORDERS)), 4), drift)
        return {minutes: most_likely(pieces, drift) for minutes, pieces in self.pieces.items()} | {60: hour}

    def _drift(self) -> float:
        usual_day = self.day_squares / self.days if self.days else 1.0
        prior = PRIOR_DAYS * usual_day
        seen = max(0.0, self.day - PRIOR_HOUR.clumping * self.expected)
        return round((seen + PRIOR_HOUR.drift * prior) / (self.day_squares + prior), 5)


def most_likely(pieces: Counter[tuple[int, int]], drift: float) -> CountLaw:
    """The law under which the counted pieces are most likely, found along one parameter after another."""
    busy = _busy(pieces)
    cells = [(2 ** (each / BINS_EACH_DOUBLING), n, times) for (each, n), times in sorted(pieces.items())]
    bursts = [
        (share, max(2.0, round(factor * busy, 2))) for share in BURST_SHARES for factor in BURST_FACTORS
    ]

    def best(laws: list[CountLaw]) -> CountLaw:
        return max(laws, key=lambda law: _likelihood(law, cells))

    law = CountLaw(CLUMPINGS[4], drift, *bursts[7])
    for _ in range(2):
        law = best([law._replace(burst_share=share, burst_mean=mean) for share, mean in bursts])
        law = best([law._replace(clumping=clumping) for clumping in CLUMPINGS])
    return law


def _busy(pieces: Counter[tuple[int, int]]) -> float:
    """Orders that a busy window expects: the upper quartile, weighed by orders."""
    orders: dict[int, float] = defaultdict(float)
    for (each, _), times in pieces.items():
        orders[each] += times * 2 ** (each / BINS_EACH_DOUBLING)
    left = sum(orders.values()) / 4
    for each in sorted(orders, reverse=True):
        left -= orders[each]
        if left <= 0:
            return float(2 ** (each / BINS_EACH_DOUBLING))
    return 1.0


def _likelihood(law: CountLaw, cells: list[tuple[float, int, int]]) -> float:
    prior = PRIOR_BURSTS * math.log(law.burst_share) + PRIOR_PLAIN * math.log1p(-law.burst_share)
    return prior + sum(times * math.log(max(law.mass(n, e), 1e-300)) for e, n, times in cells)
