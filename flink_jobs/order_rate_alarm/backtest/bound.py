"""The best that any test of a window could do: the likelihood-ratio test of the fitted distributions.

Of all tests that cry wolf with at most a given probability, the one that rejects where the likelihood ratio is
largest finds the most. Source: Neyman and Pearson, "On the Problem of the Most Efficient Tests of Statistical
Hypotheses", Phil. Trans. R. Soc. A 231 (1933); Wilson and Hilferty, "The Distribution of Chi-Square", PNAS 17 (1931).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from flink_jobs.order_rate_alarm.distribution import POISSON, CountLaw, mass

_LEFT_OVER = 1e-9
_DAYS = ((-math.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (math.sqrt(3.0), 1 / 6))
"""Three kinds of day and their weights, by Gauss and Hermite's rule: a bad, a usual and a good one."""


class Seen(NamedTuple):
    """A window that an injection touches: what is usually expected in it, and the factor of its rate."""

    mean: float
    factor: float


def recall(windows: Sequence[Seen], law: CountLaw, false_alarm: float) -> float:
    """The probability that the best test of one window finds a change in at least one of several.

    The windows follow each other on one day. As the law has it, `drift` is the day's and common to all of them,
    and given the day they are independent.

    Args:
        false_alarm: the probability that the test rejects a window in which nothing is wrong.
    """
    missed = 0.0
    for deviation, weight in _DAYS:
        day = _day(law.drift, deviation)
        missed += weight * math.prod(
            1 - power(each.mean, law, each.factor, false_alarm, day) for each in windows
        )
    return 1.0 - missed


@lru_cache(maxsize=100_000)
def power(mean: float, law: CountLaw, factor: float, false_alarm: float, day: float | None = None) -> float:
    """The probability that the best test of one window's count finds a change of the rate.

    Args:
        mean: orders that are expected in the window if nothing is wrong.
        factor: of the rate. Above 1 the count is the usual one and Poisson's extra orders, below 1 the usual one of
            which each order is left with this probability: as injections are made.
        false_alarm: the probability that the test rejects if nothing is wrong; where a count is only rejected in
            part, a coin decides, so that no test of this probability is better.
        day: the day's own rate, as a share of the expected one; None for any day. The test does not know it.
    """
    usual = _usual(mean, law)
    changed = _changed(mean, law, factor, mean)
    size = max(len(usual), len(changed))
    usual += [0.0] * (size - len(usual))
    changed += [0.0] * (size - len(changed))
    found = changed if day is None else _changed(mean * day, CountLaw(law.clumping, 0.0), factor, mean)
    found += [0.0] * (size - len(found))
    left = false_alarm
    power = sum(found[size:])
    for count in sorted(range(size), key=lambda n: _ratio(changed[n], usual[n]), reverse=True):
        if usual[count] > left:
            return power + found[count] * left / usual[count]
        left -= usual[count]
        power += found[count]
    return power


def _day(drift: float, deviation: float) -> float:
    """A quantile of the gamma law of mean 1 and variance `drift`, by Wilson and Hilferty's approximation."""
    return float((1 - drift / 9 + deviation * math.sqrt(drift) / 3) ** 3) if drift > 0 else 1.0


def _changed(mean: float, law: CountLaw, factor: float, expected: float) -> list[float]:
    """Masses of a count with a change in it; a surge adds to the expected rate, whatever the day's own is."""
    if factor < 1:
        return _thinned(mean, law, factor)
    return _surge(_usual(mean, law), (factor - 1) * expected)


def _usual(mean: float, law: CountLaw) -> list[float]:
    left, masses = 1.0, list[float]()
    while left > _LEFT_OVER and len(masses) < 5000:
        masses.append(law.mass(len(masses), mean))
        left -= masses[-1]
    return masses


def _surge(usual: list[float], extra: float) -> list[float]:
    more = _usual(extra, POISSON)
    summed = [0.0] * (len(usual) + len(more) - 1)
    for n, p in enumerate(usual):
        for m, q in enumerate(more):
            summed[n + m] += p * q
    return summed


def _thinned(mean: float, law: CountLaw, share: float) -> list[float]:
    """A thinned negative binomial count is one of the same size."""
    size = law.size(mean)
    return [mass(n, share * mean, size) for n in range(len(_usual(mean, law)))]


def _ratio(changed: float, usual: float) -> float:
    return changed / usual if usual > 0 else math.inf
