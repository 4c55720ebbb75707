"""The bounds of a worker: bytes that are open, and the share of rejected records."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.batch_processor import per_batch
from services.kernel.streams.byte_budget import ByteBudget
from services.kernel.streams.checkpoint import CheckpointTracker
from services.kernel.streams.delivery import Tracked
from services.kernel.streams.intake import RECORD_OVERHEAD_BYTES
from services.kernel.streams.processor import ProcessorFactory, per_record
from services.kernel.streams.records import Record
from services.kernel.streams.reject_rate import RejectRate


async def test_who_finds_no_room_waits_and_nobody_overtakes() -> None:
    budget = ByteBudget(10)
    await budget.reserve(8)
    order: list[int] = []

    async def want(size: int) -> None:
        await budget.reserve(size)
        order.append(size)

    tasks = [asyncio.create_task(want(size)) for size in (5, 1)]
    await asyncio.sleep(0)
    assert order == []
    budget.release(8)
    await asyncio.gather(*tasks)
    assert order == [5, 1]
    assert budget.used_bytes == 6


async def test_one_record_larger_than_the_bound_still_passes_alone() -> None:
    budget = ByteBudget(10)
    await budget.reserve(25)
    waiting = asyncio.create_task(budget.reserve(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.release(25)
    await waiting
    assert budget.used_bytes == 1


@pytest.mark.parametrize("granted_first", [False, True])
async def test_who_gives_up_waiting_holds_no_room(granted_first: bool) -> None:
    budget = ByteBudget(10)
    await budget.reserve(10)
    waiting = asyncio.create_task(budget.reserve(4))
    behind = asyncio.create_task(budget.reserve(7))
    await asyncio.sleep(0)
    if granted_first:
        budget.release(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not granted_first:
        budget.release(10)
    await asyncio.wait_for(behind, 1)
    assert budget.used_bytes == 7


@given(st.lists(st.booleans(), max_size=3_000))
def test_the_share_is_that_of_the_last_thousand(outcomes: list[bool]) -> None:
    rate = RejectRate()
    for outcome in outcomes:
        rate.add(outcome)
    window = outcomes[-1_000:]
    assert rate.too_high is (sum(window) >= 100 and sum(window) > 0.2 * len(window))


def test_below_a_hundred_nothing_pauses_and_a_reset_forgets() -> None:
    rate = RejectRate()
    for _ in range(99):
        rate.add(True)
    assert not rate.too_high
    rate.add(True)
    assert rate.too_high
    rate.reset()
    assert not rate.too_high


async def _stall(_work: object) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "factory",
    [
        per_record(_stall),
        per_batch(_stall, max_records=100, max_bytes=100_000, linger_s=0, concurrency=2),
    ],
    ids=["per_record", "per_batch"],
)
async def test_an_open_record_costs_no_more_beside_its_data_than_the_budget_counts(
    factory: ProcessorFactory,
) -> None:
    """Where every key differs and nothing is done: the worst that waits behind a sink that stalls."""
    records, data_bytes = 3_000, 1_024
    processor, tracker = factory("s"), CheckpointTracker()
    tracemalloc.start()
    try:
        fetched = [
            Record("s", 10**55 + n, f"key-{n}", bytes(data_bytes), 1_700_000_000_000) for n in range(records)
        ]
        fresh = tracker.hand_out(fetched)
        await processor.process([Tracked(record, cast("Any", None)) for record in fresh])
        await asyncio.sleep(0)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        processor.cancel()
    assert held_bytes <= records * (data_bytes + RECORD_OVERHEAD_BYTES)
