"""The notifier dies at each step of its outbox, and its engines go away: no message is lost, one repeat a death.

A step is held in the proxy before SNS or DynamoDB: the call has arrived (and had its effect, or not), its answer has
not come. Then the process gets kill -9, so that it dies exactly there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from services.alarm_notifier.message import State
from tests.alarms import an_alarm
from tests.component.alarm_notifier.conftest import Desk, a_desk
from tests.engines import Engines
from tests.fault.faults import Answer, Call, Send, refusal
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until
from tests.processes import ServiceProcess


@dataclass
class Hold:
    """The call waits, before the engine hears of it or after its effect, until the rule is lifted; then it is cut."""

    after_effect: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        if self.after_effect:
            await send(body)
        self.reached.set()
        await lifted.wait()
        return None


@dataclass(frozen=True)
class Error500:
    """SNS fails inside, before it did anything."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        return refusal(call, 500, "InternalError", "fault proxy")


@dataclass
class Ward:
    """A desk whose notifiers sit behind proxies."""

    desk: Desk
    dynamodb: FaultProxy
    sns: FaultProxy

    async def start(self, **settings: str) -> ServiceProcess:
        """Start a notifier behind the proxies."""
        proxies = {"CADABRA_DYNAMODB_ENDPOINT": self.dynamodb.url, "CADABRA_SNS_ENDPOINT": self.sns.url}
        return await self.desk.start(**{**proxies, "CADABRA_LEASE_TIME_S": "1", **settings})

    async def assert_all_told(self, repeats: int) -> None:
        """The incident's beginning and end were told, with so many repeats at most, and stand so in the outbox."""
        fires = an_alarm()
        await self.desk.put(an_alarm(resolution="recovered", minutes=20))
        await self.desk.is_told("resolved", of=fires)

        async def marked() -> bool:
            messages = await self.desk.store.messages_of(fires.incident_id)
            return [one.state for one in messages] == [State.SENT, State.SENT]

        await until(marked, 20, "both messages are marked as sent")
        told = self.desk.told("firing", of=fires)
        attempts = [one.body["attempt"] for one in told]
        print(f"attempts that arrived: {attempts}")
        assert 1 <= len(told) <= 1 + repeats
        assert len(set(attempts)) == len(attempts), "every attempt has a number of its own"
        assert {one.body["message_id"] for one in told} == {f"{fires.incident_id}-00001"}
        assert len(self.desk.told("resolved", of=fires)) == 1


@pytest.fixture
async def ward(
    engines: Engines, aws_endpoint: str, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    found = Engines(engines.kinesis, engines.dynamodb, engines.run_id, aws_endpoint)
    async with (
        a_desk(found, namespace, tmp_path_factory.mktemp("ward")) as desk,
        FaultProxy(engines.dynamodb) as dynamodb,
        FaultProxy(aws_endpoint) as sns,
    ):
        yield Ward(desk, dynamodb, sns)


TRANSACTION = "TransactWriteItems"
INCIDENT = b"started_sort"
CLAIM = b'"state": {"S": "claimed"}'
MARK = b'"state": {"S": "sent"}'
PUBLISH = b"Action=Publish"
STEPS: dict[str, tuple[str, bytes, bool, list[int]]] = {
    "before the incident is stored": ("dynamodb", INCIDENT, False, [1]),
    "after the incident and its message are stored, before the checkpoint": ("dynamodb", INCIDENT, True, [1]),
    "before the claim": ("dynamodb", CLAIM, False, [1]),
    "after the claim, before publishing": ("dynamodb", CLAIM, True, [2]),
    "while publishing, before SNS has it": ("sns", PUBLISH, False, [2]),
    "after publishing, before its answer": ("sns", PUBLISH, True, [1, 2]),
    "before the mark": ("dynamodb", MARK, False, [1, 2]),
    "after the mark": ("dynamodb", MARK, True, [1]),
}
"""Where it dies: the engine, what the call holds, whether the call has its effect, and the attempts that arrive."""


@pytest.mark.parametrize("step", list(STEPS))
async def test_kill_9_at_each_step_loses_no_message_and_repeats_at_most_one(ward: Ward, step: str) -> None:
    where, holding, after_effect, attempts = STEPS[step]
    proxy = ward.dynamodb if where == "dynamodb" else ward.sns
    victim = await ward.start()
    hold = Hold(after_effect)
    rule = proxy.add(hold, TRANSACTION if where == "dynamodb" else (), holding=holding, count=1)
    await ward.desk.put(an_alarm())
    await asyncio.wait_for(hold.reached.wait(), 30)
    victim.kill9()
    rule.lift()
    await ward.start()
    await ward.desk.is_told("firing", len(attempts), of=an_alarm())
    await ward.assert_all_told(repeats=len(attempts) - 1)
    assert [one.body["attempt"] for one in ward.desk.told("firing")] == attempts


async def test_three_deaths_in_a_row_repeat_at_most_three(ward: Ward) -> None:
    for death in range(3):
        victim = await ward.start()
        hold = Hold(after_effect=True)
        rule = ward.sns.add(hold, holding=PUBLISH, count=1)
        if death == 0:
            await ward.desk.put(an_alarm())
        await asyncio.wait_for(hold.reached.wait(), 30)
        victim.kill9()
        rule.lift()
    await ward.start()
    await ward.desk.is_told("firing", 4, of=an_alarm())
    await ward.assert_all_told(repeats=3)
    assert [one.body["attempt"] for one in ward.desk.told("firing")] == [1, 2, 3, 4]


async def test_an_sns_that_fails_longer_than_every_budget_loses_nothing(ward: Ward) -> None:
    notifier = await ward.start(CADABRA_MAX_BACKOFF_S="0.3")
    failing = ward.sns.add(Error500(), holding=PUBLISH)
    directions = ("surge", "drop", "silence")
    for direction in directions:
        await ward.desk.put(an_alarm(direction=direction))
    await until(lambda: failing.hits >= 10, 60, "ten attempts failed")
    failing.lift()
    away = ward.sns.outage()
    await until(lambda: away.hits >= 10, 60, "ten more found nobody")
    assert ward.desk.told() == []
    assert await notifier.is_ready()
    await ward.desk.put(an_alarm(resolution="recovered", minutes=20))
    away.lift()
    for direction in directions:
        (told,) = await ward.desk.is_told("firing", of=an_alarm(direction=direction))
        assert told.body["attempt"] > 1
    (ended,) = await ward.desk.is_told("resolved", of=an_alarm())
    (began,) = ward.desk.told("firing", of=an_alarm())
    assert began.number < ended.number


async def test_a_dynamodb_that_is_away_for_long_loses_nothing(ward: Ward) -> None:
    await ward.start(CADABRA_STOP_TIMEOUT_S="5")
    await ward.desk.put(an_alarm())
    await ward.desk.is_told("firing", of=an_alarm())
    away = ward.dynamodb.outage()
    await ward.desk.put(an_alarm(direction="drop"), an_alarm(resolution="recovered", minutes=20))
    await until(lambda: away.hits >= 30, 60, "thirty calls found nobody")
    away.lift()
    await ward.desk.is_told("firing", of=an_alarm(direction="drop"))
    await ward.desk.is_told("resolved", of=an_alarm())
    assert len(ward.desk.told()) == 3


async def test_of_two_workers_the_other_one_delivers_when_one_dies(ward: Ward) -> None:
    # Long enough that no slow moment of the machine hands the delivery over before one dies.
    first, second = [await ward.start(CADABRA_DELIVERY_LEASE_S="3") for _ in range(2)]

    async def delivering(service: ServiceProcess) -> bool:
        return (await service.metrics())["cadabra_alarm_notifier_delivering"] == 1

    async def one_delivers() -> bool:
        return await delivering(first) != await delivering(second)

    await until(one_delivers, 20, "one of them delivers")
    victim, heir = (first, second) if await delivering(first) else (second, first)
    await ward.desk.put(an_alarm())
    await ward.desk.is_told("firing", of=an_alarm())

    async def marked() -> bool:
        messages = await ward.desk.store.messages_of(an_alarm().incident_id)
        return [one.state for one in messages] == [State.SENT]

    # Between SNS and the mark a death costs the one repeat that is allowed; here it comes after both.
    await until(marked, 20, "the message is marked as sent")
    victim.kill9()
    await ward.desk.put(an_alarm(direction="drop"))
    await ward.desk.is_told("firing", of=an_alarm(direction="drop"))
    assert await delivering(heir)
    await ward.assert_all_told(repeats=0)
