"""Retry: full jitter within its bounds, budgets kept, only Retryable repeated."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.errors import InvalidRecord, Retryable, Throttled, Unavailable
from services.kernel.core.retry import Retry


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    async def sleep(self, delay_s: float) -> None:
        self.pauses.append(delay_s)
        self.now_s += delay_s

    def clock(self) -> float:
        return self.now_s


class Failing:
    """Fails a number of times, then answers."""

    def __init__(self, times: int, error: type[Retryable] = Unavailable) -> None:
        self.left = times
        self.error = error
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error("again")
        return "done"


@given(
    attempt=st.integers(0, 10_000), base_s=st.floats(0.001, 1), cap_s=st.floats(0.001, 60), seed=st.integers()
)
def test_a_pause_is_within_its_range(attempt: int, base_s: float, cap_s: float, seed: int) -> None:
    delay_s = Retry(base_s, cap_s, rng=random.Random(seed)).delay_s(attempt)
    assert 0 <= delay_s <= min(cap_s, base_s * 2 ** min(attempt, 60))


def test_pauses_use_their_whole_range() -> None:
    retry = Retry(base_s=1, cap_s=4, rng=random.Random(1))
    pauses = [retry.delay_s(9) for _ in range(2000)]
    assert min(pauses) < 0.1
    assert max(pauses) > 3.9
    assert 1.8 < sum(pauses) / len(pauses) < 2.2


async def test_it_goes_on_for_ever_without_a_budget() -> None:
    time = Time()
    failing = Failing(500)
    told: list[int] = []
    retry = Retry(rng=random.Random(1), sleep=time.sleep, clock=time.clock)
    assert (
        await retry.call(failing, on_retry=lambda _error, attempt, _delay_s: told.append(attempt)) == "done"
    )
    assert failing.calls == 501
    assert told == list(range(500))
    assert max(time.pauses) <= 5


async def test_no_try_starts_past_the_budget() -> None:
    time = Time()
    retry = Retry(budget_s=10, rng=random.Random(1), sleep=time.sleep, clock=time.clock)
    with pytest.raises(Throttled):
        await retry.call(Failing(10_000, Throttled))
    assert 0 < time.now_s <= 10


async def test_a_budget_of_nothing_is_one_try() -> None:
    failing = Failing(5)
    time = Time()
    with pytest.raises(Unavailable):
        await Retry(budget_s=0, sleep=time.sleep, clock=time.clock).call(failing)
    assert failing.calls == 1


async def test_only_retryable_is_repeated() -> None:
    calls = 0

    async def invalid() -> None:
        nonlocal calls
        calls += 1
        raise InvalidRecord("invalid_json", "not JSON")

    with pytest.raises(InvalidRecord):
        await Retry().call(invalid)
    assert calls == 1
