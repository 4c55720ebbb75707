"""The outbox from record to SNS, with a death at every single call: no message is lost, one repeat for each death.

The store and SNS are the memory twins. A worker dies at a chosen call, before or after its effect; the next one,
which knows nothing of it, goes on once the lease has run out. Time is a number that the test moves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from services.alarm_notifier.ledger import Ledger
from services.alarm_notifier.message import State
from services.alarm_notifier.rendering import Rendered
from services.alarm_notifier.store import AlarmStore
from services.kernel.core.errors import MissingResource, TimedOut, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Record
from tests.alarms import a_heartbeat, a_record, an_alarm
from tests.unit.alarm_notifier.outbox_world import LEASE_S, TABLES, Worker, World, a_world

FIRES = an_alarm()
OVER = an_alarm(resolution="recovered", minutes=20)


class Died(BaseException):
    """The process ended at this call."""


@pytest.fixture
async def world() -> World:
    return await a_world()


RECORDS = [a_record(FIRES, 1), a_record(OVER, 2)]


async def work(worker: Worker, records: list[Record]) -> None:
    """All that a worker does with two records, delivering after each."""
    await worker.lease.keep()
    for record in records:
        await worker.handler.handle(record)
        await worker.deliver()


def die_at(world: World, number: int, after: bool) -> Callable[[], bool]:
    """Let the n-th call from now on end the process; says whether it did."""
    calls = 0
    died = False

    def strike(_operation: str) -> BaseException | None:
        nonlocal calls, died
        calls += 1
        if calls == number:
            died = True
            return Died()
        return None

    for twin in (world.dynamodb, world.sns):
        setattr(twin, "fault_after" if after else "fault", strike)
    return lambda: died


def heal(world: World) -> None:
    for twin in (world.dynamodb, world.sns):
        twin.fault = twin.fault_after = lambda _operation: None


async def run_with_deaths(world: World, numbers: list[int], after: bool) -> int:
    """Let workers die one after another, then one live; returns how many died."""
    deaths = 0
    for life, number in enumerate(numbers):
        died = die_at(world, number, after)
        try:
            await work(world.worker(f"w{life}"), RECORDS)
        except Died:
            deaths += 1
        heal(world)
        assert died() or deaths <= life
        world.now_s += LEASE_S
    survivor = world.worker("survivor")
    await survivor.lease.keep()  # sees the lease of the dead
    world.now_s += LEASE_S
    await work(survivor, RECORDS)
    return deaths


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
async def test_a_death_at_any_call_loses_nothing_and_repeats_at_most_one_message(
    world: World, after: bool
) -> None:
    number, deaths, repeats = 0, 1, 0
    while deaths:
        number += 1
        fresh = await a_world()
        deaths = await run_with_deaths(fresh, [number], after)
        told = fresh.incidents_told()
        assert set(told) == {"firing", "resolved"}, f"death at call {number}: {told}"
        assert told.total() <= 2 + deaths, f"death at call {number}: {told}"
        repeats += told.total() - 2
        await assert_all_marked(fresh)
    assert number > 8  # there are more calls than that to die at
    assert repeats >= 2  # at least between each message's publishing and its mark
    print(f"{number} calls, {repeats} repeats")


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("second", [1, 4, 9, 14, 18])
async def test_two_deaths_in_a_row_repeat_at_most_two_messages(after: bool, second: int) -> None:
    for first in range(1, 20):
        fresh = await a_world()
        deaths = await run_with_deaths(fresh, [first, second], after)
        told = fresh.incidents_told()
        assert set(told) == {"firing", "resolved"}, f"deaths at {first} and {second}: {told}"
        assert told.total() <= 2 + deaths, f"deaths at {first} and {second}: {told}"
        await assert_all_marked(fresh)


async def assert_all_marked(world: World) -> None:
    """The incident's beginning and end are marked as sent."""
    await assert_marked(world, ["firing", "resolved"])


async def assert_marked(world: World, kinds: list[str]) -> None:
    """The incident's messages are these, and marked as sent, with the attempts that SNS saw at least."""
    messages = await AlarmStore(world.dynamodb, TABLES).messages_of(FIRES.incident_id)
    assert [one.kind for one in messages] == kinds
    assert all(one.state is State.SENT for one in messages)
    for message in messages:
        seen = [
            int(one.attributes["attempt"])
            for one in world.sns.published
            if one.attributes["message_id"] == message.message_id
        ]
        assert seen == sorted(set(seen)), "every attempt has a number of its own"
        assert max(seen) == message.attempt


async def test_an_attempt_that_sns_refuses_comes_again_later_and_counts(world: World) -> None:
    worker = world.worker("one")
    world.sns.fault = lambda operation: Unavailable("away") if operation == "publish" else None
    await work(worker, RECORDS[:1])
    (message,) = await worker.store.messages_of(FIRES.incident_id)
    assert (message.state, message.error, message.failures) == (State.PENDING, "Unavailable", message.attempt)
    assert world.sns.published == []
    heal(world)
    world.now_s += 30
    await worker.deliver()
    assert world.attempts() == [str(message.attempt + 1)]
    (message,) = await worker.store.messages_of(FIRES.incident_id)
    assert (message.state, message.failures, message.error) == (State.SENT, 0, "")


async def test_an_sns_that_is_away_for_a_day_loses_nothing_and_keeps_the_order(world: World) -> None:
    worker = world.worker("one")
    world.sns.fault = lambda operation: Unavailable("away") if operation == "publish" else None
    await work(worker, RECORDS)
    for _ in range(24):
        world.now_s += 3600
        await worker.deliver(1)
    heal(world)
    for _ in range(2):
        world.now_s += 30
        await worker.deliver()
    assert [one.attributes["kind"] for one in world.sns.published] == ["firing", "resolved"]


async def test_a_lost_answer_of_sns_repeats_under_the_next_number(world: World) -> None:
    worker = world.worker("one")
    answers = [TimedOut("lost"), None]
    world.sns.fault_after = lambda operation: answers.pop(0) if operation == "publish" and answers else None
    await work(worker, RECORDS[:1])
    world.now_s += 30
    await worker.deliver()
    assert world.attempts() == ["1", "2"]


async def test_a_topic_that_is_gone_is_waited_for(world: World) -> None:
    worker = world.worker("one")
    world.sns.fault = lambda operation: MissingResource("gone") if operation == "publish" else None
    await work(worker, RECORDS[:1])
    heal(world)
    world.now_s += 30
    await worker.deliver()
    assert world.incidents_told() == Counter(firing=1)


@pytest.mark.parametrize("operation", ["transact_write_items", "update_item", "query", "get_item"])
async def test_lost_answers_of_the_store_double_nothing(world: World, operation: str) -> None:
    worker = world.worker("one")
    toss = iter(range(1000))
    world.dynamodb.fault_after = lambda name: (
        TimedOut("lost") if name == operation and next(toss) % 2 == 0 else None
    )
    for record in RECORDS:
        await Retry(sleep=lambda _s: asyncio.sleep(0)).call(lambda r=record: worker.handler.handle(r))  # type: ignore[misc]
        for _ in range(8):
            await Retry(sleep=lambda _s: asyncio.sleep(0)).call(lambda: worker.deliver(1))
    heal(world)
    await worker.deliver()
    told = world.incidents_told()
    # An attempt whose claim was not answered is given up, and the next one counts on: nothing goes out twice.
    assert told == Counter(firing=1, resolved=1)


async def test_of_two_workers_one_delivers_and_a_zombie_claims_nothing(world: World) -> None:
    one, two = world.worker("one"), world.worker("two")
    await one.handler.handle(RECORDS[0])
    await one.lease.keep()
    await two.lease.keep()
    assert (one.lease.held, two.lease.held) == (True, False)
    world.now_s += LEASE_S - 0.1
    assert one.lease.held  # it is stopped here, and believes so
    world.now_s += 0.1
    assert await two.lease.keep()
    assert (one.lease.held, two.lease.fence) == (False, one.lease.fence + 1)
    one.lease._beaten_at_s = world.now_s  # a zombie that does not know
    await one.delivery.turn()
    assert world.sns.published == []
    assert not one.lease.held
    await two.deliver()
    assert world.incidents_told() == Counter(firing=1)


async def test_a_worker_that_stops_lets_the_next_deliver_at_once(world: World) -> None:
    one, two = world.worker("one"), world.worker("two")
    await one.lease.keep()
    await one.lease.release()
    assert await two.lease.keep()
    assert two.lease.held


async def test_a_table_that_is_gone_ends_the_delivery(world: World) -> None:
    await world.dynamodb.delete_table(TABLES.messages)
    async with asyncio.timeout(10):
        with pytest.raises(MissingResource):
            await world.worker("one").delivery.run(asyncio.Event())


async def test_a_stop_finishes_what_is_on_its_way_and_hands_over(world: World) -> None:
    worker, stopping, asked = world.worker("one"), asyncio.Event(), asyncio.Event()
    go_on = asyncio.Event()

    async def publish(rendered: Rendered) -> str:
        asked.set()
        await go_on.wait()
        return await worker._publish(rendered)

    worker.delivery._publish = publish
    running = asyncio.create_task(worker.delivery.run(stopping))
    async with asyncio.timeout(10):
        await worker.handler.handle(RECORDS[0])
        await asked.wait()
        stopping.set()
        go_on.set()
        await running
    await assert_marked(world, ["firing"])
    assert await world.worker("two").lease.keep()


async def test_a_silence_holds_and_its_end_tells(world: World) -> None:
    worker = world.worker("one")
    from services.alarm_notifier.requests import SilenceRequest

    asked = SilenceRequest(duration_s=3600, reason="sale", rule="learned")
    silence = await worker.operations.silence(asked, "anna")
    await work(worker, RECORDS[:1])
    assert world.sns.published == []
    (message,) = await worker.store.messages_of(FIRES.incident_id)
    assert message.held == f"silenced:{silence.silence_id}"
    await worker.operations.expire(silence.silence_id)
    await worker.deliver()
    assert world.incidents_told() == Counter(firing=1)
    assert await worker.operations.silences() == []


async def test_reminders_come_until_somebody_takes_it_on(world: World) -> None:
    worker = world.worker("one")
    await work(worker, RECORDS[:1])
    for _ in range(3):
        world.now_s += 3600
        await worker.deliver()
    assert world.incidents_told() == Counter(firing=1, reminder=3)
    taken = await worker.operations.acknowledge(FIRES.incident_id, "anna")
    assert taken is not None
    again = await worker.operations.acknowledge(FIRES.incident_id, "bob")
    assert again is not None
    assert again.acknowledged_by == "anna"
    world.now_s += 7200
    await worker.deliver()
    assert world.incidents_told()["reminder"] == 3
    await worker.handler.handle(RECORDS[1])
    await worker.deliver()
    assert world.incidents_told()["resolved"] == 1


async def test_a_job_that_falls_silent_is_told_and_its_return_too(world: World) -> None:
    worker = world.worker("one")
    await worker.deliver(1)
    world.now_s += 600
    await worker.deliver()
    assert world.sns.published == []  # no sign of life was ever seen: there is no job yet

    async def beat() -> None:
        await worker.handler.handle(a_record(a_heartbeat(world.now_ms())))
        await worker.deliver()

    await beat()
    for _ in range(7):
        world.now_s += 8.9
        await worker.deliver(1)
    assert world.incidents_told() == Counter(firing=1)
    assert "alarm job silent" in world.sns.published[0].texts["sms"]
    world.now_s += 5
    await beat()
    assert world.incidents_told() == Counter(firing=1, resolved=1)


async def test_past_the_cap_phones_get_a_digest(world: World) -> None:
    worker = world.worker("one")
    worker.lease.ledger = Ledger(cap=1, digest_every_ms=600_000)
    await worker.lease.keep()
    for number in range(3):
        await worker.handler.handle(a_record(an_alarm(f"country:{number}")))
        await worker.deliver()
    phones = [one.texts["sms"] for one in world.sns.published if "sms" in one.attributes["channels"]]
    assert len(phones) == 1
    for _ in range(2):
        world.now_s += 301
        await worker.deliver()
    digest = world.sns.published[-1]
    assert digest.attributes["channels"] == ("sms",)
    assert digest.texts["sms"].startswith("DIGEST: 2 more messages")


async def test_a_fault_in_rendering_one_message_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.alarm_notifier import delivery, rendering

    def render(tell: Any, console_url: str) -> Rendered:
        if tell.messages[0].record.direction == "drop":
            raise RuntimeError("a bug of ours")
        return real(tell, console_url)

    real = rendering.render
    monkeypatch.setattr(delivery, "render", render)
    worker = world.worker("one")
    await worker.lease.keep()
    await worker.handler.handle(a_record(an_alarm(direction="drop")))
    await worker.handler.handle(RECORDS[0])
    await worker.deliver()
    assert world.incidents_told() == Counter(firing=1)
