"""The bound to the byte, and waiters that give up in every order."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.streams.byte_budget import ByteBudget

TIMEOUT_S = 5


async def started(budget: ByteBudget, size_bytes: int) -> asyncio.Task[None]:
    task = asyncio.create_task(budget.reserve(size_bytes))
    await asyncio.sleep(0)
    return task


async def gives_up(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_bound_is_met_to_the_byte() -> None:
    budget = ByteBudget(10)
    assert budget.limit_bytes == 10
    assert budget.try_reserve(4) is True
    assert budget.try_reserve(7) is False
    assert budget.used_bytes == 4
    assert budget.try_reserve(6) is True
    assert budget.used_bytes == 10
    assert budget.try_reserve(1) is False
    budget.release(4)
    assert budget.used_bytes == 6


def test_alone_anything_passes_and_beside_something_it_does_not() -> None:
    budget = ByteBudget(10)
    assert budget.try_reserve(1)
    assert not budget.try_reserve(11)
    budget.release(1)
    assert budget.try_reserve(11)
    assert budget.used_bytes == 11


async def test_room_is_taken_without_waiting_where_there_is_some() -> None:
    budget = ByteBudget(10)
    await asyncio.wait_for(budget.reserve(10), TIMEOUT_S)
    assert budget.used_bytes == 10


async def test_who_waits_is_not_overtaken_by_who_would_fit() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(8)
    waiting = await started(budget, 5)
    assert not budget.try_reserve(1)
    budget.release(8)
    await asyncio.wait_for(waiting, TIMEOUT_S)
    assert budget.try_reserve(1)
    assert budget.used_bytes == 6


async def test_a_release_lets_in_as_many_as_fit_and_no_more() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(10)
    first, second, third = [await started(budget, size) for size in (4, 6, 1)]
    budget.release(10)
    await asyncio.wait_for(asyncio.gather(first, second), TIMEOUT_S)
    await asyncio.sleep(0)
    assert not third.done()
    assert budget.used_bytes == 10
    budget.release(4)
    await asyncio.wait_for(third, TIMEOUT_S)
    assert budget.used_bytes == 7


async def test_who_gives_up_at_the_head_lets_those_behind_in() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(6)
    head, behind = await started(budget, 9), await started(budget, 4)
    await gives_up(head)
    await asyncio.wait_for(behind, TIMEOUT_S)
    assert budget.used_bytes == 10


async def test_who_gives_up_in_the_middle_leaves_the_others_their_places() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(10)
    first, middle, last = [await started(budget, size) for size in (3, 5, 7)]
    await gives_up(middle)
    assert not first.done()
    assert not last.done()
    budget.release(10)
    await asyncio.wait_for(asyncio.gather(first, last), TIMEOUT_S)
    assert budget.used_bytes == 10


async def test_who_gives_up_just_after_being_let_in_hands_the_room_on() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(10)
    first, second = await started(budget, 10), await started(budget, 10)
    budget.release(10)  # lets `first` in, which has not run since
    await gives_up(first)
    await asyncio.wait_for(second, TIMEOUT_S)
    assert budget.used_bytes == 10


async def test_room_that_comes_while_the_head_gives_up_goes_to_the_next() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(10)
    first, second = await started(budget, 9), await started(budget, 8)
    first.cancel()
    budget.release(10)  # `first` is cancelled and has not run since
    await asyncio.wait_for(second, TIMEOUT_S)
    await asyncio.wait({first})
    assert first.cancelled()
    assert budget.used_bytes == 8


async def test_room_for_the_last_in_the_queue_does_not_let_the_first_in() -> None:
    budget = ByteBudget(10)
    budget.try_reserve(10)
    first, last = await started(budget, 5), await started(budget, 1)
    budget.release(4)
    await asyncio.sleep(0)
    assert not first.done()
    assert not last.done()
    assert budget.used_bytes == 6
    budget.release(6)
    await asyncio.wait_for(asyncio.gather(first, last), TIMEOUT_S)
