"""Rates by a clock of the test's own, and the one budget of bytes."""

from __future__ import annotations

import pytest

from services.order_ingest import limits
from services.order_ingest.limits import MemoryBudget, Reservation, SenderLimits, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_passes_then_the_rate_holds() -> None:
    clock = Clock()
    bucket = TokenBucket(10.0, clock)
    taken = 0
    for _ in range(1000):  # ten seconds, by hundredths
        while bucket.wait_s() == 0:
            bucket.take(1)
            taken += 1
        clock.now_s += 0.01
    assert 10 * 10 + 20 - 1 <= taken <= 10 * 10 + 20 + 1


def test_what_is_overdrawn_is_paid_before_the_next() -> None:
    clock = Clock()
    bucket = TokenBucket(100.0, clock)
    bucket.take(1200)  # 200 were there
    assert bucket.wait_s() == pytest.approx(10.0)
    clock.now_s += 9.9
    assert bucket.wait_s() > 0
    clock.now_s += 0.2
    assert bucket.wait_s() == 0


def test_the_wait_that_is_told_is_enough() -> None:
    clock = Clock()
    bucket = TokenBucket(3.0, clock)
    bucket.take(6)
    wait_s = bucket.wait_s()
    assert wait_s > 0
    clock.now_s += wait_s + 0.001
    assert bucket.wait_s() == 0


def test_senders_do_not_slow_each_other() -> None:
    senders = SenderLimits(1.0, 1000.0, Clock())
    senders.charge("a", 2, 10)
    senders.charge("b", 1, 5000)
    exceeded = {name: senders.exceeded(name) for name in "abc"}
    assert exceeded["a"] is not None
    assert exceeded["a"].what == "orders"
    assert exceeded["b"] is not None
    assert exceeded["b"].what == "bytes"
    assert exceeded["c"] is None


def test_senders_are_forgotten_past_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SENDERS", 3)
    senders = SenderLimits(1.0, 1.0, Clock())
    for name in "abcde":
        senders.charge(name, 10, 10)
    assert senders.exceeded("e") is not None
    assert senders.exceeded("a") is None  # the one that was silent longest starts anew


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    budget = MemoryBudget(100)
    with Reservation(budget) as one, Reservation(budget) as other:
        assert one.resize(60)
        assert not other.resize(50)
        assert budget.used_bytes == 60
        assert one.resize(40)
        assert other.resize(60)
        assert not one.resize(41)
        assert budget.used_bytes == 100
    assert budget.used_bytes == 0


def test_a_failure_gives_the_bytes_back() -> None:
    budget = MemoryBudget(100)

    def fail() -> None:
        with Reservation(budget) as held:
            assert held.resize(100)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert budget.used_bytes == 0
