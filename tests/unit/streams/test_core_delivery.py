"""A tracked delivery tells its shard's reader what became of its record, and lets go whoever waits for it."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.core.errors import InvalidRecord, Retryable, Throttled
from services.kernel.streams.delivery import Tracked
from services.kernel.streams.records import Record

RECORD = Record("s", 1, "k", b"x", 0)
BAD = InvalidRecord("bad", "wrong")
SLOW = Throttled("slow")
BUG = ValueError("bug")


class Told:
    """A receiver that remembers what it is told."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.kept: asyncio.Future[None] | None = None

    def acknowledge(self, record: Record) -> None:
        self.calls.append(("done", record))

    async def reject(self, record: Record, error: InvalidRecord) -> None:
        if self.kept is not None:
            await self.kept
        self.calls.append(("rejected", record, error))

    def waiting(self, error: Retryable, marked: bool) -> None:
        self.calls.append(("waiting", error, marked))

    def fail(self, record: Record, error: BaseException) -> None:
        self.calls.append(("failed", record, error))


def with_care(told: Told) -> tuple[Tracked, asyncio.Future[None]]:
    """A delivery whose end somebody waits for."""
    delivery = Tracked(RECORD, told)
    delivery.done = asyncio.get_running_loop().create_future()
    return delivery, delivery.done


async def test_the_receiver_is_told_of_every_end_and_every_wait() -> None:
    told = Told()
    delivery = Tracked(RECORD, told)
    delivery.acknowledge()
    await delivery.reject(BAD)
    delivery.waiting(SLOW)
    delivery.fail(BUG)
    assert told.calls == [
        ("done", RECORD),
        ("rejected", RECORD, BAD),
        ("waiting", SLOW, False),
        ("failed", RECORD, BUG),
    ]


async def test_who_reads_with_care_goes_on_once_the_record_is_done() -> None:
    told = Told()
    delivery, done = with_care(told)
    delivery.waiting(SLOW)
    assert told.calls == [("waiting", SLOW, True)]
    assert not done.done()
    delivery.acknowledge()
    assert done.done()


async def test_a_rejected_record_is_done_once_it_is_kept() -> None:
    told = Told()
    told.kept = asyncio.get_running_loop().create_future()
    delivery, done = with_care(told)
    rejecting = asyncio.create_task(delivery.reject(BAD))
    await asyncio.sleep(0)
    assert not done.done()
    told.kept.set_result(None)
    await rejecting
    assert done.done()


@pytest.mark.parametrize("given_up", [False, True])
async def test_a_second_end_and_a_reader_that_gave_up_do_no_harm(given_up: bool) -> None:
    told = Told()
    delivery, done = with_care(told)
    if given_up:
        done.cancel()
    delivery.acknowledge()
    delivery.acknowledge()
    assert told.calls == [("done", RECORD)] * 2
    assert done.cancelled() is given_up


async def test_a_record_that_failed_lets_nobody_go_on() -> None:
    delivery, done = with_care(Told())
    delivery.fail(BUG)
    assert not done.done()


async def test_a_delivery_whose_end_somebody_waits_for_is_handled_alone() -> None:
    careful, _ = with_care(Told())
    assert careful.alone
    assert not Tracked(RECORD, Told()).alone


async def test_who_reads_with_care_goes_on_once_the_record_has_done_no_harm() -> None:
    """It stays open: what comes of it later is told all the same, and no mark of another record is taken back."""
    told = Told()
    delivery, done = with_care(told)
    assert delivery.alone
    delivery.survived()
    assert done.done()
    assert not delivery.alone
    delivery.waiting(SLOW)
    delivery.acknowledge()
    assert told.calls == [("waiting", SLOW, False), ("done", RECORD)]
    assert not Tracked(RECORD, told).alone
