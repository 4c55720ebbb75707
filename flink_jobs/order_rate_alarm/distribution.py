"""The negative binomial law of order counts: tails, limits, and the chance of none at all.

A count of mean m whose variance is m (1 + clumping + drift m) has the size m / (clumping + drift m): `clumping` is
what orders that come in bunches add, `drift` what a day that is better or worse as a whole adds. Where both are 0 it
is Poisson's. Source: Hilbe, "Negative Binomial Regression", 2nd ed., Cambridge 2011, chapter 8 (NB-P family).
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

_NEGLIGIBLE = 1e-17
_WALKED_TO = 1e-9
"""Down to this probability a limit is found by walking up from 0, which 16 digits allow and costs least."""
_WALKED_UP_TO = 300.0
"""Up to this mean: past 700 the first term would be no number any more."""
_SILENT_UP_TO = 1e6
_LARGEST_SIZE = 1e6
"""Past it the law is Poisson's to six digits, and the logarithms of the gamma function would cancel."""


class CountLaw(NamedTuple):
    """The law of a count, for any mean: variance = mean (1 + clumping + drift mean)."""

    clumping: float
    drift: float

    def size(self, mean: float) -> float:
        """The negative binomial's size for a mean; infinite where it is Poisson's."""
        excess = self.clumping + self.drift * mean
        return mean / excess if excess > mean / _LARGEST_SIZE else math.inf

    def mass(self, count: int, mean: float) -> float:
        """P(N = count)."""
        return mass(count, mean, self.size(mean))

    def at_least(self, count: int, mean: float) -> float:
        """P(N >= count); far in the tail it keeps its digits: 1e-30 is not 0."""
        if count <= 0:
            return 1.0
        return self._above(count, mean) if count > mean else 1.0 - self._below(count - 1, mean)

    def at_most(self, count: int, mean: float) -> float:
        """P(N <= count); far in the tail it keeps its digits."""
        if count < 0:
            return 0.0
        return self._below(count, mean) if count < mean else 1.0 - self._above(count + 1, mean)

    def upper_limit(self, probability: float, mean: float) -> int:
        """The smallest count with P(N >= count) at most `probability`."""
        if probability < _WALKED_TO or mean > _WALKED_UP_TO:
            return self._upper_limit_by_halving(probability, mean)
        size, count = self.size(mean), 0
        term = mass(0, mean, size)
        left = 1.0 - term
        while left > probability:
            term *= _ratio(count, mean, size)
            left -= term
            count += 1
        return count + 1

    def lower_limit(self, probability: float, mean: float) -> int:
        """The largest count with P(N <= count) at most `probability`; -1 if there is none."""
        if self.at_most(0, mean) > probability:
            return -1
        low, high = 0, max(1, math.ceil(mean))
        while self.at_most(high, mean) <= probability:  # only where the probability is not small
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at_most(middle, mean) <= probability else (low, middle)
        return low

    def silent_mean(self, probability: float) -> float:
        """The expected orders at which none at all is as unlikely as `probability`; infinite if it never is."""
        low, high = 0.0, 1.0
        while self.at_most(0, high) > probability:
            low, high = high, high * 2
            if high > _SILENT_UP_TO:
                return math.inf
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.at_most(0, middle) > probability else (low, middle)
        return high

    def _above(self, count: int, mean: float) -> float:
        """P(N >= count) for a count above the mean: summed from the largest term outward."""
        if mean <= 0:
            return 0.0
        size = self.size(mean)
        term = total = mass(count, mean, size)
        while term > total * _NEGLIGIBLE:
            term *= _ratio(count, mean, size)
            total += term
            count += 1
        return total

    def _below(self, count: int, mean: float) -> float:
        """P(N <= count) for a count below the mean: summed from the largest term down."""
        size = self.size(mean)
        term = total = mass(count, mean, size)
        for n in range(count, 0, -1):
            term /= _ratio(n - 1, mean, size)
            total += term
        return total

    def _upper_limit_by_halving(self, probability: float, mean: float) -> int:
        low, high = 0, 1
        while self.at_least(high, mean) > probability:
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at_least(middle, mean) > probability else (low, middle)
        return high


POISSON = CountLaw(0.0, 0.0)


def mass(count: int, mean: float, size: float) -> float:
    """P(N = count) of the negative binomial law, of Poisson's if the size is infinite."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0 if count == 0 else 0.0
    if math.isinf(size):
        return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    share = mean / (mean + size)
    log_choose = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    return math.exp(log_choose - size * math.log1p(mean / size) + count * math.log(share))


def draw(mean: float, chance: random.Random) -> int:
    """One count of Poisson's law."""
    count, total = 0, chance.expovariate(1.0)
    while total < mean:
        count += 1
        total += chance.expovariate(1.0)
    return count


def _ratio(count: int, mean: float, size: float) -> float:
    """P(N = count + 1) / P(N = count)."""
    if math.isinf(size):
        return mean / (count + 1)
    return (count + size) / (count + 1) * mean / (mean + size)
