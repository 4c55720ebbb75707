"""One file, one worker: claim, heartbeat, loss, take-over, release."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.core.errors import Misconfigured, Unavailable
from services.kernel.tail.lease import FileLease, LeasePolicy
from services.kernel.tail.positions import Entry, LeaseLost, LeaseWatch
from services.kernel.tail.prefix import Mark
from tests.memory.positions import MemoryPositions

KEY = "shop/a.csv"


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def policy(
    owner: str, clock: Clock | None = None, lease_time_s: float = 10.0, save_s: float = 1.0
) -> LeasePolicy:
    """A policy with a clock of the test's."""
    return LeasePolicy(owner, lease_time_s, save_s, clock or Clock())


async def test_of_two_that_saw_it_free_one_gets_it() -> None:
    store = MemoryPositions()
    await FileLease.claim(store, KEY, None, policy("one"))
    with pytest.raises(LeaseLost):
        await FileLease.claim(store, KEY, None, policy("two"))
    assert store.entries[KEY].owner == "one"


async def test_a_release_keeps_the_position_and_frees_the_file() -> None:
    store = MemoryPositions()
    lease = await FileLease.claim(store, KEY, None, policy("one"))
    lease.move(Mark(7, "h"), "paused")
    await lease.release()
    entry = store.entries[KEY]
    assert (entry.position, entry.state, entry.owner) == (Mark(7, "h"), "paused", None)
    again = await FileLease.claim(store, KEY, entry, policy("two"))
    assert again.position == Mark(7, "h")


async def test_a_stale_owner_writes_nothing() -> None:
    store = MemoryPositions()
    old = await FileLease.claim(store, KEY, None, policy("old"))
    new = await FileLease.claim(store, KEY, store.entries[KEY], policy("new"))
    new.move(Mark(9, "new"))
    await new.release()
    old.move(Mark(3, "old"))
    with pytest.raises(LeaseLost):
        await old.release()
    assert store.entries[KEY].position == Mark(9, "new")


async def test_keeping_writes_what_moved_and_otherwise_a_heartbeat() -> None:
    store, clock = MemoryPositions(), Clock()
    lease = await FileLease.claim(store, KEY, None, policy("one", clock, 10.0, 0.01))
    position = Mark(0, "")
    lease.follow(lambda: position)
    keeper = asyncio.create_task(lease.keep())
    position = Mark(5, "five")
    await until(lambda: store.entries[KEY].position == Mark(5, "five"))
    counter = store.entries[KEY].counter
    clock.now_s += 4.0
    await until(lambda: store.entries[KEY].counter == counter + 1)
    lease.stop_keeping()
    await keeper


async def test_a_lease_that_cannot_be_written_for_its_time_is_lost() -> None:
    class Away(MemoryPositions):
        async def swap(self, entry: Entry, expected_counter: int | None) -> None:
            if entry.counter > 1:
                raise Unavailable("away")
            await super().swap(entry, expected_counter)

    clock = Clock()
    lease = await FileLease.claim(Away(), KEY, None, policy("one", clock, 10.0, 0.01))
    lease.move(Mark(1, ""))
    clock.now_s += 10.0
    with pytest.raises(LeaseLost):
        await lease.keep()


async def test_a_write_whose_answer_was_lost_succeeds_when_it_is_repeated() -> None:
    class Deaf(MemoryPositions):
        calls = 0

        async def swap(self, entry: Entry, expected_counter: int | None) -> None:
            await super().swap(entry, expected_counter)
            self.calls += 1
            if self.calls == 2:
                raise Unavailable("the answer was lost")

    store = Deaf()
    lease = await FileLease.claim(store, KEY, None, policy("one"))
    lease.move(Mark(4, "four"))
    await lease.release()
    assert store.calls == 3
    assert store.entries[KEY].position == Mark(4, "four")


def test_a_counter_that_stands_still_for_the_lease_time_frees_the_file() -> None:
    clock = Clock()
    watch = LeaseWatch(10.0, clock)
    held = Entry(KEY, owner="one", counter=3)
    assert watch.free(None)
    assert watch.free(Entry(KEY))
    assert not watch.free(held)
    clock.now_s = 9.9
    assert not watch.free(held)
    assert not watch.free(Entry(KEY, owner="one", counter=4))
    clock.now_s = 19.8
    assert not watch.free(Entry(KEY, owner="one", counter=4))
    clock.now_s = 19.91
    assert watch.free(Entry(KEY, owner="one", counter=4))


def test_saving_must_be_faster_than_the_lease_runs_out() -> None:
    with pytest.raises(Misconfigured):
        LeasePolicy("one", lease_time_s=1.0, save_interval_s=0.6)


async def until(condition: object) -> None:
    """Waits for a condition, at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)
