"""A table that is away costs its callers little: bounded waits, then none, until a probe finds it again."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.core.errors import MissingResource, Refused, Retryable, Throttled, TimedOut, Unavailable
from services.storefront.guard import FAILURES, PROBE_S, Guard


class Clock:
    """Seconds that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Table:
    """Answers with what a test sets, and counts."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    async def read(self) -> str:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return "answer"


async def fails(guard: Guard, table: Table, kind: type[Exception] = Retryable) -> None:
    with pytest.raises(kind):
        await guard.call(table.read)


async def test_after_failures_in_a_row_only_a_probe_a_second_is_let_through() -> None:
    clock, table = Clock(), Table()
    guard = Guard("table", 1.0, clock)
    table.error = Throttled("slow down")
    for number in range(1, FAILURES + 1):
        assert not guard.away
        await fails(guard, table, Throttled)
        assert table.calls == number
    assert guard.away
    await fails(guard, table, Unavailable)
    assert table.calls == FAILURES
    clock.now_s += PROBE_S
    await fails(guard, table, Throttled)
    await fails(guard, table, Unavailable)
    assert table.calls == FAILURES + 1
    clock.now_s += PROBE_S
    table.error = None
    assert await guard.call(table.read) == "answer"
    assert not guard.away
    assert await guard.call(table.read) == "answer"


async def test_failures_that_are_not_in_a_row_close_nothing() -> None:
    table = Table()
    guard = Guard("table", 1.0, Clock())
    for _ in range(3 * FAILURES):
        table.error = Unavailable("away")
        await fails(guard, table)
        table.error = None
        await guard.call(table.read)
    assert not guard.away


async def test_a_missing_table_is_one_that_is_away_and_a_bug_stays_one() -> None:
    table = Table()
    guard = Guard("table", 1.0, Clock())
    table.error = MissingResource("no such table")
    await fails(guard, table, Unavailable)
    table.error = Refused("a fault of ours")
    await fails(guard, table, Refused)


async def test_a_call_ends_in_time() -> None:
    guard = Guard("table", 0.01)
    with pytest.raises(TimedOut):
        await guard.call(asyncio.Event().wait)


async def test_a_caller_that_goes_away_is_no_failure_of_the_table() -> None:
    guard = Guard("table", 60.0)
    for _ in range(FAILURES):
        task = asyncio.create_task(guard.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not guard.away
