"""Crashes at random places of random arrivals: the incidents in the end are those of an undisturbed run.

What Flink does is played: a snapshot holds the state and how far the stream was read; after a crash both are as they
were in the last one, and what was told since is told still.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts import codec
from flink_jobs.order_rate_alarm.memory import Memory
from flink_jobs.order_rate_alarm.parsing import order_seen
from flink_jobs.order_rate_alarm.rules import Rules
from tests.alarm_path import finals, order_at, undisturbed
from tests.unit.order_rate_alarm.test_memory import State

PROPERTIES = {"gap_s": "20", "resolve_s": "10", "grace_s": "1", "behind_s": "86400"}
START_MS = 1_764_190_000_000


def arrivals(rng: random.Random) -> list[codec.Order]:
    """Three surges and some single orders, in an order of arrival that is not that of their times; some twice."""
    start_ms = START_MS + rng.randrange(60_000)
    surges = [
        order_at(f"surge-{number}-{at}", start_ms - number * 60_000 + at * 250)
        for number in range(3)
        for at in range(16)
    ]
    lone = [order_at(f"lone-{at}", start_ms - at * 7000) for at in range(9)]
    everything = surges + lone + rng.sample(surges, 5)
    nearly = sorted(enumerate(everything), key=lambda pair: pair[0] + rng.uniform(0, 20))
    return [order for _, order in nearly] + [order_at("later", start_ms + 100_000)]


@dataclass
class Job:
    """The job as Flink runs it: a memory, its state, a position in the stream."""

    stream: list[codec.Order]
    rng: random.Random
    now_ms: int = START_MS + 260_000
    position: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)
    state: State = field(default_factory=State)
    snapshot: tuple[State, int] = field(default_factory=lambda: (State(), 0))

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.memory = Memory(Rules.from_properties(PROPERTIES), self.state)

    def read(self, end: int) -> None:
        """Read up to this place of the stream, with a snapshot and a second now and then."""
        while self.position < end:
            self.now_ms += 20
            order = order_seen(codec.encode(self.stream[self.position]))
            self.told += self.memory.on_order(order, self.now_ms)
            self.position += 1
            if self.rng.random() < 0.1:
                self.wait(self.rng.randrange(1, 4))
            if self.rng.random() < 0.1:
                self.snapshot = (State(self.state), self.position)

    def wait(self, seconds: int) -> None:
        """Let seconds pass."""
        for _ in range(seconds):
            self.now_ms += 1000
            self.told += self.memory.on_clock(self.now_ms)

    def crash(self) -> None:
        """Lose all that is not in the snapshot; come back after a while."""
        self.state, self.position = State(self.snapshot[0]), self.snapshot[1]
        self.now_ms += self.rng.randrange(5000, 80_000)
        self._begin()


@pytest.mark.parametrize("seed", range(40))
def test_crashes_at_random_places_change_no_incident(seed: int) -> None:
    rng = random.Random(seed)
    stream = arrivals(rng)
    job = Job(stream, rng)
    for end in sorted(rng.sample(range(1, len(stream)), 2)):
        job.read(end)
        job.crash()
    job.read(len(stream))
    job.wait(90)

    expected = finals(undisturbed(stream, PROPERTIES, job.now_ms + 60_000))

    assert len(expected) == 3
    assert finals(job.told) == expected
