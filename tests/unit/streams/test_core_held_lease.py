"""A held lease in time: what counts as a heartbeat, and when nothing may be written any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest

from services.kernel.core.errors import TimedOut
from services.kernel.streams.held_lease import HeldLease
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseLost, LeaseTable
from tests.simulation.virtual_loop import VirtualLoop, run

LEASE_TIME_S = 10.0


class Table:
    """Takes `takes_s` for each write and may fail; remembers what was written."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.error: Exception | None = None
        self.written: list[Lease] = []
        self.paused: list[tuple[Lease, str]] = []
        self.at_work = 0
        self.begun = 0
        self.seen: Lease | None = None

    async def write(self, held: Lease, changed: Lease) -> Lease:
        assert self.at_work == 0, "two writes at once"
        self.at_work += 1
        self.begun += 1
        self.seen = held
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.at_work -= 1
        if self.error is not None:
            raise self.error
        self.written.append(changed)
        return replace(changed, counter=held.counter + 1)

    async def pause(self, held: Lease, reason: str) -> None:
        self.paused.append((held, reason))


def in_virtual_time(test: Callable[[Table, HeldLease], Awaitable[None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        await asyncio.sleep(100)  # the clock never began at nought
        table = Table()
        held = HeldLease(cast(LeaseTable, table), Lease("s", owner="me"), LEASE_TIME_S, loop.time)
        await test(table, held)

    run(main)


def moved_to(checkpoint: str) -> Callable[[Lease], Lease]:
    return lambda lease: replace(lease, checkpoint=checkpoint)


def test_a_write_changes_what_is_held() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        assert await held.update(moved_to("7")) == Lease("s", owner="me", checkpoint="7", counter=1)
        assert await held.update(moved_to("8")) == held.lease == Lease("s", "me", 2, "8")
        assert [lease.checkpoint for lease in table.written] == ["7", "8"]

    in_virtual_time(test)


def test_silence_is_counted_from_when_the_last_good_write_began() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        assert held.unwritten_s == 0
        await asyncio.sleep(3)
        assert held.unwritten_s == pytest.approx(3)
        table.takes_s = 2
        await held.update(moved_to("7"))
        assert held.unwritten_s == pytest.approx(2)

    in_virtual_time(test)


def test_a_write_that_failed_is_no_heartbeat_and_changes_nothing() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await asyncio.sleep(3)
        table.error = TimedOut("no answer")
        with pytest.raises(TimedOut):
            await held.update(moved_to("7"))
        assert held.unwritten_s == pytest.approx(3)
        assert held.lease == Lease("s", owner="me")

    in_virtual_time(test)


@pytest.mark.parametrize(("silent_s", "lost"), [(9.9, False), (10.0, True), (10.1, True)])
def test_after_the_lease_time_in_silence_nothing_is_written(silent_s: float, lost: bool) -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await asyncio.sleep(silent_s)
        if lost:
            with pytest.raises(LeaseLost):
                await held.update(moved_to("7"))
        else:
            await held.update(moved_to("7"))
        assert bool(table.written) is not lost
        assert bool(table.begun) is not lost, "nothing is even sent"

    in_virtual_time(test)


@pytest.mark.parametrize(("takes_s", "lost"), [(5.9, False), (6.1, True), (60.0, True)])
def test_a_write_is_given_up_when_the_lease_time_ends(takes_s: float, lost: bool) -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await asyncio.sleep(4)
        table.takes_s = takes_s
        began_at_s = asyncio.get_running_loop().time()
        if lost:
            with pytest.raises(LeaseLost):
                await held.update(moved_to("7"))
            assert asyncio.get_running_loop().time() - began_at_s == pytest.approx(6)
        else:
            await held.update(moved_to("7"))

    in_virtual_time(test)


def test_writes_go_one_after_another_each_on_what_the_one_before_left() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        table.takes_s = 1
        await asyncio.gather(
            held.update(lambda lease: replace(lease, deaths=lease.deaths + 1)),
            held.update(lambda lease: replace(lease, deaths=lease.deaths + 1)),
        )
        assert (held.lease.deaths, held.lease.counter) == (2, 2)

    in_virtual_time(test)


def test_a_pause_is_written_for_the_lease_as_it_is_held() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await held.update(moved_to("7"))
        await held.pause("why")
        assert table.paused == [(held.lease, "why")]

    in_virtual_time(test)


def test_an_answered_rewind_releases_the_lease_at_the_place_asked_for() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await held.update(moved_to("7"))
        assert await held.rewind("3") == Lease("s", counter=2, checkpoint="3") == held.lease
        assert table.seen == Lease("s", "me", 1, "7", rewind_to="3")

    in_virtual_time(test)


def test_a_rewind_that_was_taken_back_releases_the_lease_where_it_is() -> None:
    async def test(table: Table, held: HeldLease) -> None:
        await held.update(moved_to("7"))
        assert await held.rewind(None) == Lease("s", counter=2, checkpoint="7")
        assert table.seen == Lease("s", "me", 1, "7")

    in_virtual_time(test)
