"""A paced replay keeps the data's own time, so many times as fast."""

from __future__ import annotations

import time

from deploy.local.replay import Pace


async def test_an_event_comes_round_at_its_time_divided_by_the_speed() -> None:
    pace = Pace("2011-01-01T10:00:00.000Z", speed=36_000.0)
    began = time.monotonic()
    await pace.wait_until("2011-01-01T11:00:00.000Z")
    assert 0.1 <= time.monotonic() - began < 2.0


async def test_what_is_overdue_does_not_wait() -> None:
    pace = Pace("2011-01-01T10:00:00.000Z", speed=0.001)
    began = time.monotonic()
    await pace.wait_until("2011-01-01T09:00:00.000Z")
    assert time.monotonic() - began < 1.0
