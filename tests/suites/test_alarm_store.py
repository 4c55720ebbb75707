"""The alarm store and the delivery lease over memory and the real DynamoDB: atomic, conditional, listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from msgspec.structs import replace as with_fields

from contracts import catalog
from services.alarm_notifier.delivery_lease import DeliveryLease
from services.alarm_notifier.incident import Change, Incident, Timing, apply, inherited
from services.alarm_notifier.ledger import Ledger, Overflow
from services.alarm_notifier.message import Message, State
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.store import AlarmStore, Tables
from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.core.errors import Throttled
from services.kernel.provision import provision, remove
from tests.alarms import a_heartbeat, an_alarm
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis

NOW_MS = 1_322_000_900_000
TIMING = Timing(900_000, 500)
EMPTY = Ledger(cap=3, digest_every_ms=600_000)


@pytest.fixture(params=["memory", "engine"])
async def dynamodb(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[DynamoDB]:
    """The three tables of a namespace."""
    whole = catalog.load()
    alarms = {name: table for name, table in whole.tables.items() if name.startswith("alarm_")}
    ours = replace(whole, streams={}, tables=alarms, topics={})
    if request.param == "memory":
        memory = MemoryDynamoDB()
        await provision(MemoryKinesis(), memory, namespace, ours)
        yield memory
        return
    async with DynamoDB.open(request.getfixturevalue("dynamodb_endpoint"), "us-east-1") as client:
        await provision(MemoryKinesis(), client, namespace, ours)
        yield client
        await remove(MemoryKinesis(), client, namespace, ours)


@pytest.fixture
def store(dynamodb: DynamoDB, namespace: str) -> AlarmStore:
    return AlarmStore(dynamodb, Tables.of(namespace))


def change_of(before: Incident, key: str = "total", **fields: object) -> Change:
    change = apply(before, an_alarm(key, **fields), NOW_MS, TIMING)  # type: ignore[arg-type]
    assert change is not None
    return change


async def fires(store: AlarmStore, key: str = "total", **fields: object) -> Change:
    """A new incident, stored with its message."""
    change = change_of(Incident(incident_id=an_alarm(key, **fields).incident_id), key, **fields)  # type: ignore[arg-type]
    await store.change(change)
    return change


async def test_an_incident_and_its_message_come_back_as_they_went(store: AlarmStore) -> None:
    change = await fires(store, "country:Côte d'Ivoire")
    identity = change.incident.incident_id
    assert await store.incident(identity) == change.incident
    assert await store.incidents([identity, "f" * 32, identity]) == {identity: change.incident}
    assert await store.messages_of(identity) == await store.open_messages() == [change.message]
    assert await store.incident("f" * 32) == Incident(incident_id="f" * 32)
    assert change.message is not None
    assert await store.message(identity, change.message.message_id) == change.message
    assert await store.message("test", "test-1") is None


async def test_of_two_that_saw_the_same_state_one_writes_and_no_message_stands_alone(
    store: AlarmStore,
) -> None:
    first = await fires(store)
    over = change_of(first.incident, resolution="recovered", minutes=20)
    worse = change_of(first.incident, resolution="withdrawn", minutes=20)
    await store.change(over)
    for late in (worse, first):
        with pytest.raises(ConditionFailed):
            await store.change(late)
    assert await store.incident(first.incident.incident_id) == over.incident
    assert await store.messages_of(first.incident.incident_id) == [first.message, over.message]


async def test_of_many_workers_with_one_record_one_makes_the_message(store: AlarmStore) -> None:
    change = change_of(Incident(incident_id=an_alarm().incident_id))

    async def write() -> bool:
        try:
            await store.change(change)
        except (ConditionFailed, Throttled):
            return False
        return True

    assert sum(await asyncio.gather(*(write() for _ in range(8)))) == 1
    assert len(await store.open_messages()) == 1


async def test_what_was_told_is_marked_beside_records_that_come_in(store: AlarmStore) -> None:
    change = await fires(store)
    assert change.message is not None
    claimed = change.message.claimed(change.message.message_id, ("mail",))
    await store.update([claimed])
    over = change_of(change.incident, resolution="recovered", minutes=20)
    await store.change(over)
    await store.sent([claimed.sent("sns", NOW_MS)], {change.incident.incident_id: "critical"}, NOW_MS)
    incident = await store.incident(change.incident.incident_id)
    assert (incident.told_in(1), incident.list, incident.version) == ("critical", "resolved", 3)
    assert [one.kind for one in await store.open_messages()] == ["resolved"]
    with pytest.raises(ConditionFailed):  # who comes late with the state from before the mark
        await store.change(change_of(over.incident, minutes=30))


async def test_a_message_is_claimed_once(store: AlarmStore) -> None:
    message = (await fires(store)).message
    assert message is not None
    await store.update([message.claimed(message.message_id, ("mail",))])
    for late in (
        message.claimed(message.message_id, ("mail",)),
        message.dropped("late"),
        message.waiting("x"),
    ):
        with pytest.raises(ConditionFailed):
            await store.update([late])


async def test_a_dropped_message_is_kept_and_not_open(store: AlarmStore) -> None:
    change = await fires(store, age_ms=900_001)
    assert await store.open_messages() == []
    (kept,) = await store.messages_of(change.incident.incident_id)
    assert (kept.state, kept.outcome) == (State.DROPPED, "too_old")


async def test_lists_are_newest_first_in_pages_and_know_no_sign_of_life(store: AlarmStore) -> None:
    for at in range(5):
        await fires(store, f"country:{at}", started_ms=1_322_000_000_000 + at)
    beat = apply(Incident(incident_id=a_heartbeat(0).incident_id), a_heartbeat(NOW_MS), NOW_MS, TIMING)
    assert beat is not None
    await store.change(beat)
    first, at_key = await store.listed("firing", limit=3)
    second, _ = await store.listed("firing", limit=3, start_key=at_key)
    keys = [one.record.key for one in first + second if one.record]
    assert keys == [f"country:{at}" for at in (4, 3, 2, 1, 0)]
    assert await store.all_listed("firing") == first + second
    assert [one.incident_id for one in await store.all_listed("heartbeat")] == [beat.incident.incident_id]
    assert await store.all_listed("resolved") == []


async def test_a_successor_inherits_in_the_same_write(store: AlarmStore) -> None:
    old = await fires(store)
    heir = inherited(await store.incident("c" * 32), "critical", NOW_MS)
    assert heir is not None
    merged = change_of(old.incident, resolution="merged", minutes=20, merged_into="c" * 32)
    await store.change(merged, heir)
    known = await store.incident("c" * 32)
    assert (known.told_in(1), known.record, known.version) == ("critical", None, 1)
    with pytest.raises(ConditionFailed):
        await store.change(change_of(merged.incident, minutes=30), heir)
    assert await store.incident(old.incident.incident_id) == merged.incident


async def test_silences_are_those_in_force(store: AlarmStore) -> None:
    def silence(name: str, **fields: int) -> Silence:
        times = {"created_at_ms": NOW_MS, "ends_at_ms": NOW_MS + 1000, **fields}
        words = {"rule": None, "key": "total", "direction": None, "reason": "ä", "created_by": "anna"}
        return Silence(silence_id=name, **words, **times)  # type: ignore[arg-type]

    late, soon, over = (
        silence("late", ends_at_ms=NOW_MS + 9000),
        silence("soon"),
        silence("over", ends_at_ms=NOW_MS + 1),
    )
    for one in (late, soon, over):
        await store.put_silence(one)
    assert await store.silences(NOW_MS + 1) == [soon, late]
    await store.put_silence(with_fields(soon, expired_at_ms=NOW_MS))
    assert await store.silences(NOW_MS + 1) == [late]


# The delivery lease


class Clock:
    """Seconds that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(dynamodb: DynamoDB, namespace: str, owner: str, clock: Clock) -> DeliveryLease:
    return DeliveryLease(dynamodb, f"{namespace}-alarm_messages", owner, 10.0, EMPTY, clock)


async def test_of_many_workers_one_delivers(dynamodb: DynamoDB, namespace: str, clock: Clock) -> None:
    workers = [lease(dynamodb, namespace, str(at), clock) for at in range(8)]
    assert sum(await asyncio.gather(*(one.keep() for one in workers))) == 1
    assert sum(one.held for one in workers) == 1


async def test_the_next_one_takes_over_once_the_beat_stood_still(
    dynamodb: DynamoDB, namespace: str, clock: Clock
) -> None:
    one, two = (lease(dynamodb, namespace, name, clock) for name in ("one", "two"))
    await one.keep()
    for _ in range(5):
        clock.now_s += 9
        await one.keep()
        assert not await two.keep()
    clock.now_s += 10
    assert not one.held
    assert await two.keep()
    assert (two.held, two.fence) == (True, 2)
    assert not await one.keep()
    assert not one.held


async def test_who_lost_the_lease_can_claim_nothing(
    dynamodb: DynamoDB, namespace: str, clock: Clock, store: AlarmStore
) -> None:
    one, two = (lease(dynamodb, namespace, name, clock) for name in ("one", "two"))
    message = (await fires(store)).message
    assert message is not None
    await one.keep()
    await two.keep()
    clock.now_s += 10
    await two.keep()
    claimed = message.claimed(message.message_id, ("mail",))
    with pytest.raises(ConditionFailed) as raised:
        await store.update([claimed], [one.write(EMPTY)])
    assert raised.value.index == 0
    assert await store.open_messages() == [message]
    await store.update([claimed], [two.write(EMPTY)])


async def test_the_phones_ledger_outlives_its_writer(
    dynamodb: DynamoDB, namespace: str, clock: Clock, store: AlarmStore
) -> None:
    one, two = (lease(dynamodb, namespace, name, clock) for name in ("one", "two"))
    await one.keep()
    noted = Overflow.of(Message(incident_id="test", message_id="test-1", kind="test"))
    ledger = EMPTY.counted(NOW_MS).overflowed([noted], NOW_MS)
    await store.update([], [one.write(ledger)])
    await one.release()
    assert await two.keep()
    assert two.ledger == ledger
    one.doubt()
    assert not await one.keep()


async def test_a_doubt_is_settled_by_reading(dynamodb: DynamoDB, namespace: str, clock: Clock) -> None:
    one = lease(dynamodb, namespace, "one", clock)
    assert await one.keep()
    one.doubt()
    assert (one.held, one.doubted) == (False, True)
    assert not await one.keep()  # not new: it was ours all the time
    assert (one.held, one.doubted, one.fence) == (True, False, 1)
