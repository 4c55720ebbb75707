"""The detector's copy in Flink's state: what is there after a restore, and what is refused."""

from __future__ import annotations

import pytest

from contracts import codec
from flink_jobs.order_rate_alarm.memory import Memory, NewerState
from flink_jobs.order_rate_alarm.parsing import order_seen
from flink_jobs.order_rate_alarm.rules import Rules
from tests.alarm_path import order_at, steady_baseline

NOW_MS = 1_764_000_000_000


class State(dict[str, bytes]):
    """A MapState that is a dictionary."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value

    def remove(self, key: str) -> None:
        self.pop(key, None)


def orders(first: int, last: int) -> list[codec.Order]:
    return [order_at(f"o{at}", NOW_MS + at * 100) for at in range(first, last)]


def test_a_surge_goes_on_after_a_restore() -> None:
    state = State()
    before = Memory(Rules(), state)
    told = [
        one
        for order in orders(0, 9)
        for one in before.on_order(order_seen(codec.encode(order)), NOW_MS + 2000)
    ]
    assert told == []

    after = Memory(Rules(), State(state))
    (last,) = orders(9, 10)
    (fired,) = after.on_order(order_seen(codec.encode(last)), NOW_MS + 60_000)

    assert (fired["rule"], fired["state"], fired["observed"]) == ("threshold", "firing", 10)


def test_a_sign_of_life_each_10_seconds() -> None:
    memory = Memory(Rules(), State())

    told = [one for second in range(31) for one in memory.on_clock(NOW_MS + second * 1000)]

    assert [one["rule"] for one in told] == ["heartbeat"] * 4
    assert len({one["incident_id"] for one in told}) == 1
    assert [one["rank"] for one in told] == sorted({one["rank"] for one in told})


def test_a_baseline_stays_over_a_restore_and_an_older_one_does_not_replace_it() -> None:
    state = State()
    memory = Memory(Rules(), state)
    older, newer = steady_baseline("older"), steady_baseline("newer")
    object.__setattr__(older, "trained_until_ms", newer.trained_until_ms - 1)

    memory.on_baseline(newer.save())
    memory.on_baseline(older.save())
    memory.on_baseline(newer.save())
    memory.on_baseline(b"no baseline")

    assert (memory.baselines_loaded, memory.baselines_refused) == (1, 1)
    (beat,) = Memory(Rules(), State(state)).on_clock(NOW_MS)
    assert beat["baseline_version"] == "newer"


def test_a_baseline_that_this_version_cannot_read_any_more_is_a_cold_start() -> None:
    memory = Memory(Rules(), State(baseline=b'{"format": 0}', version=b"1"))

    (beat,) = memory.on_clock(NOW_MS)

    assert (beat["baseline_version"], memory.baselines_refused) == (None, 1)


def test_state_of_a_newer_version_is_refused() -> None:
    with pytest.raises(NewerState, match="version 2"):
        Memory(Rules(), State(version=b"2"))
