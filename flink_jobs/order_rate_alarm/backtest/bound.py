"""The best that any test of a window could do: the likelihood-ratio test of the fitted distributions.

Of all tests that cry wolf with at most a given probability, the one that rejects where the likelihood ratio is
largest finds the most. Source: Neyman and Pearson, "On the Problem of the Most Efficient Tests of Statistical
Hypotheses", Phil. Trans. R. Soc. A 231 (1933).
"""

from __future__ import annotations

import math
from functools import lru_cache

from flink_jobs.order_rate_alarm.distribution import POISSON, CountLaw, nb_mass

_LEFT_OVER = 1e-9


@lru_cache(maxsize=50_000)
def power(mean: float, law: CountLaw, factor: float, false_alarm: float) -> float:
    """The probability that the best test of one window's count finds a change of the rate.

    Args:
        mean: orders that are expected in the window if nothing is wrong.
        factor: of the rate. Above 1 the count is the usual one and Poisson's extra orders, below 1 the usual one of
            which each order is left with this probability: as injections are made.
        false_alarm: the probability that the test rejects if nothing is wrong; where a count is only rejected in
            part, a coin decides, so that no test of this probability is better.
    """
    usual = _usual(mean, law)
    changed = _surge(usual, (factor - 1) * mean) if factor > 1 else _thinned(mean, law, factor, len(usual))
    usual += [0.0] * (len(changed) - len(usual))
    order = sorted(range(len(changed)), key=lambda n: _ratio(changed[n], usual[n]), reverse=True)
    spent = found = 0.0
    for count in order:
        if spent + usual[count] > false_alarm:
            return found + changed[count] * (false_alarm - spent) / usual[count]
        spent += usual[count]
        found += changed[count]
    return found


def found_once(powers: list[float]) -> float:
    """The probability that at least one of several windows that do not overlap finds it."""
    return 1.0 - math.prod(1.0 - each for each in powers)


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


def _thinned(mean: float, law: CountLaw, share: float, counts: int) -> list[float]:
    """A thinned negative binomial count is one of the same size."""
    parts = law.parts(mean)
    return [sum(w * nb_mass(n, share * m, size) for w, m, size in parts) for n in range(counts)]


def _ratio(changed: float, usual: float) -> float:
    return changed / usual if usual > 0 else math.inf
