"""The law of counts, against plain sums of its masses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs.order_rate_alarm.distribution import POISSON, CountLaw, mass

LAWS = st.builds(CountLaw, st.floats(0, 3), st.floats(0, 0.3))
MEANS = st.floats(0.01, 60)


@given(LAWS, MEANS, st.integers(0, 120))
def test_tails_are_the_sums_of_the_masses(law: CountLaw, mean: float, count: int) -> None:
    below = sum(law.mass(n, mean) for n in range(count))
    assert law.at_most(count - 1, mean) == pytest.approx(below, abs=1e-9)
    assert law.at_least(count, mean) == pytest.approx(1 - below, abs=1e-9)


@given(LAWS, MEANS)
def test_mean_and_variance_are_as_promised(law: CountLaw, mean: float) -> None:
    masses = [law.mass(n, mean) for n in range(3000)]
    first = sum(n * p for n, p in enumerate(masses))
    second = sum((n - mean) ** 2 * p for n, p in enumerate(masses))
    assert sum(masses) == pytest.approx(1, abs=1e-6)
    assert first == pytest.approx(mean, rel=1e-4)
    assert second == pytest.approx(mean * (1 + law.clumping + law.drift * mean), rel=1e-2)


@given(LAWS, MEANS, st.sampled_from([0.05, 1e-3, 1e-6, 1e-12]))
def test_limits_are_the_first_counts_that_are_unlikely_enough(law: CountLaw, mean: float, p: float) -> None:
    upper, lower = law.upper_limit(p, mean), law.lower_limit(p, mean)
    assert law.at_least(upper, mean) <= p * (1 + 1e-6)
    assert upper == 1 or law.at_least(upper - 1, mean) > p * (1 - 1e-6)
    assert lower == -1 or law.at_most(lower, mean) <= p
    assert law.at_most(lower + 1, mean) > p


def test_far_in_the_tail_digits_are_kept() -> None:
    assert POISSON.at_least(100, 10.0) == pytest.approx(1.64e-60, rel=0.01)
    assert 0 < CountLaw(0.5, 0.05).at_least(400, 2.0) < 1e-30


def test_poisson_is_the_limit() -> None:
    assert mass(3, 2.0, math.inf) == pytest.approx(mass(3, 2.0, 1e6), rel=1e-5)
    assert POISSON.silent_mean(1e-4) == pytest.approx(-math.log(1e-4))


def test_a_law_that_never_makes_silence_unlikely_says_so() -> None:
    assert math.isinf(CountLaw(0.0, 5.0).silent_mean(1e-300))
