"""The window grows by one for each window full of answers and halves once for each trouble."""

from __future__ import annotations

import asyncio

from deploy.local.replay_window import LARGEST, SMALLEST, Window


async def test_a_full_window_waits_until_a_place_is_free() -> None:
    window = Window(first=2)
    await window.enter()
    await window.enter()
    third = asyncio.create_task(window.enter())
    await asyncio.sleep(0)
    assert not third.done()
    window.leave()
    await asyncio.wait_for(third, 1)
    assert window.open == 2


async def test_it_grows_by_about_one_per_window_and_never_past_its_bound() -> None:
    window = Window(first=10)
    for _ in range(10):
        window.went_well()
    assert 10.9 < window.limit <= 11
    for _ in range(1_000_000):
        window.went_well()
    assert window.limit == LARGEST


async def test_one_trouble_halves_it_once() -> None:
    now = 100.0
    window = Window(first=64, clock=lambda: now)
    for _ in range(50):
        window.was_too_much()
    assert window.limit == 32
    for _ in range(20):
        now += 1.0
        window.was_too_much()
    assert window.limit == SMALLEST
