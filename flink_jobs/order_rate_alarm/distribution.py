"""The negative binomial distribution of order counts: tails, limits, and the chance of none at all.

A count of mean m whose variance is m (1 + clumping + drift m) has the size m / (clumping + drift m): `clumping` is
what orders that come in bunches add, `drift` what a day that is better or worse as a whole adds. Where both are 0
it is Poisson's. Source: Hilbe, "Negative Binomial Regression", 2nd ed., Cambridge 2011, chapter 8 (NB-P family).
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


class Dispersion(NamedTuple):
    """How much more than Poisson's a count varies: variance = mean (1 + clumping + drift mean)."""

    clumping: float
    drift: float

    def size(self, mean: float) -> float:
        """The negative binomial's size for a mean; infinite where it is Poisson's."""
        excess = self.clumping + self.drift * mean
        return mean / excess if excess > 0 else math.inf


def mass(count: int, mean: float, size: float) -> float:
    """P(N = count)."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0 if count == 0 else 0.0
    if math.isinf(size):
        return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    share = mean / (mean + size)
    log_choose = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    return math.exp(log_choose - size * math.log1p(mean / size) + count * math.log(share))


def none_at_all(mean: float, size: float) -> float:
    """P(N = 0)."""
    return mass(0, mean, size)


def at_most(count: int, mean: float, size: float) -> float:
    """P(N <= count), summed from the largest term so that small values keep their digits."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    term = total = mass(count, mean, size)
    for n in range(count, 0, -1):
        term /= _ratio(n - 1, mean, size)
        total += term
    return min(1.0, total)


def at_least(count: int, mean: float, size: float) -> float:
    """P(N >= count); far in the tail it is summed outward, so that 1e-30 is not 0."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if count <= mean:
        return 1.0 - at_most(count - 1, mean, size)
    term = total = mass(count, mean, size)
    n = count
    while term > total * _NEGLIGIBLE:
        term *= _ratio(n, mean, size)
        total += term
        n += 1
    return min(1.0, total)


def upper_limit(probability: float, mean: float, size: float) -> int:
    """The smallest count with P(N >= count) at most `probability`."""
    if probability < _WALKED_TO or mean > _WALKED_UP_TO:
        return _upper_limit_by_halving(probability, mean, size)
    count, term = 0, mass(0, mean, size)
    left = 1.0 - term
    while left > probability:
        term *= _ratio(count, mean, size)
        left -= term
        count += 1
    return count + 1


def _upper_limit_by_halving(probability: float, mean: float, size: float) -> int:
    low, high = 0, 1
    while at_least(high, mean, size) > probability:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at_least(middle, mean, size) > probability else (low, middle)
    return high


def lower_limit(probability: float, mean: float, size: float) -> int:
    """The largest count with P(N <= count) at most `probability`; -1 if there is none."""
    if none_at_all(mean, size) > probability:
        return -1
    low, high = 0, max(1, math.ceil(mean))
    while at_most(high, mean, size) <= probability:  # only where the probability is not small
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at_most(middle, mean, size) <= probability else (low, middle)
    return low


def silent_mean(probability: float, dispersion: Dispersion) -> float:
    """The expected orders at which none at all is as unlikely as `probability`; infinite if it never is."""
    low, high = 0.0, 1.0
    while none_at_all(high, dispersion.size(high)) > probability:
        low, high = high, high * 2
        if high > 1e6:
            return math.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if none_at_all(middle, dispersion.size(middle)) > probability else (low, middle)
        )
    return high


def draw(mean: float, size: float, chance: random.Random) -> int:
    """One count: Poisson's, at a rate that is drawn from a gamma distribution."""
    rate = mean if math.isinf(size) else chance.gammavariate(size, mean / size)
    count, total = 0, chance.expovariate(1.0)
    while total < rate:
        count += 1
        total += chance.expovariate(1.0)
    return count


def _ratio(count: int, mean: float, size: float) -> float:
    """P(N = count + 1) / P(N = count)."""
    if math.isinf(size):
        return mean / (count + 1)
    return (count + size) / (count + 1) * mean / (mean + size)
