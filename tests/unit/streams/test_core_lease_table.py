"""The lease table under races, lost answers and operators, over DynamoDB in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import ConditionFailed, Key
from services.kernel.core.errors import TimedOut
from services.kernel.core.retry import Retry
from services.kernel.streams.lease import SHARD_END, Lease, to_item
from services.kernel.streams.lease_table import LeaseLost, LeaseTable, RequestChanged
from tests.memory.dynamodb import MemoryDynamoDB

TABLE = "leases"


class Stage:
    """A table, and what lies in it."""

    def __init__(self) -> None:
        self.dynamodb = MemoryDynamoDB()
        self.leases = LeaseTable(self.dynamodb, TABLE)
        self._retry = Retry(base_s=0.001, cap_s=0.001)

    async def put(self, lease: Lease, **attributes: Any) -> Lease:
        await self.dynamodb.put_item(TABLE, {**to_item(lease), **attributes})
        return lease

    async def row(self, shard_id: str = "s") -> dict[str, Any]:
        found = await self.dynamodb.get_item(TABLE, {"leaseKey": {"S": shard_id}})
        assert found is not None
        return found

    async def lease(self, shard_id: str = "s") -> Lease:
        return (await self.leases.read())[shard_id]

    def lose_answers(self, count: int) -> None:
        left = iter(range(count))
        self.dynamodb.fault_after = lambda _operation: (
            TimedOut("the answer was lost") if next(left, None) is not None else None
        )

    async def again(self, call: Callable[[], Any]) -> Any:
        return await self._retry.call(call)


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.dynamodb.create_table(TABLE, Key("leaseKey"))
    return stage


HELD = Lease("s", owner="me", counter=4, checkpoint="10", parents=("p",), owner_switches=1, deaths=1)
FREE = replace(HELD, owner=None)


async def test_leases_are_read_by_shard_and_rows_of_other_kinds_stay_out(stage: Stage) -> None:
    await stage.put(HELD)
    await stage.put(Lease("t"))
    await stage.dynamodb.put_item(TABLE, {"leaseKey": {"S": "Leader"}, "leaseDuration": {"S": "120000"}})
    assert await stage.leases.read() == {"s": HELD, "t": Lease("t")}
    assert stage.leases.table == TABLE


async def test_a_lease_is_made_once(stage: Stage) -> None:
    await stage.leases.create(HELD)
    await stage.leases.create(Lease("s"))
    assert await stage.leases.read() == {"s": HELD}


async def test_a_free_lease_is_taken_and_its_counter_rises_by_one(stage: Stage) -> None:
    await stage.put(FREE)
    taken = await stage.leases.take(FREE, replace(FREE, owner="me"))
    assert taken == replace(HELD, counter=5)
    assert await stage.lease() == taken


async def test_a_lease_is_taken_from_the_owner_that_was_seen(stage: Stage) -> None:
    await stage.put(HELD)
    assert await stage.leases.take(HELD, replace(HELD, owner="other")) == replace(
        HELD, owner="other", counter=5
    )


@pytest.mark.parametrize(
    "now",
    [
        replace(HELD, counter=5),
        replace(HELD, owner="third"),
        replace(HELD, owner="third", counter=5),
        FREE,
        replace(FREE, counter=5),
    ],
)
async def test_a_lease_that_changed_since_it_was_seen_is_not_taken(stage: Stage, now: Lease) -> None:
    await stage.put(now)
    assert await stage.leases.take(HELD, replace(HELD, owner="other")) is None
    assert await stage.lease() == now


@pytest.mark.parametrize("now", [replace(FREE, counter=5), replace(HELD, owner="third")])
async def test_a_free_lease_that_changed_since_is_not_taken(stage: Stage, now: Lease) -> None:
    await stage.put(now)
    assert await stage.leases.take(FREE, replace(FREE, owner="me")) is None
    assert await stage.lease() == now


async def test_a_lease_that_is_gone_is_not_taken_and_not_made(stage: Stage) -> None:
    assert await stage.leases.take(HELD, replace(HELD, owner="other")) is None
    assert await stage.leases.read() == {}


async def test_a_take_whose_answer_was_lost_is_recognised(stage: Stage) -> None:
    await stage.put(FREE)
    stage.lose_answers(1)
    taken = await stage.again(lambda: stage.leases.take(FREE, replace(FREE, owner="me")))
    assert taken == await stage.lease() == replace(HELD, counter=5)


async def test_what_we_hold_by_the_table_is_taken_again_past_writes_of_our_own(stage: Stage) -> None:
    await stage.put(replace(HELD, counter=9))
    assert await stage.leases.take(HELD, HELD) == replace(HELD, counter=10)


async def test_a_heartbeat_raises_the_counter_and_nothing_else(stage: Stage) -> None:
    await stage.put(HELD)
    assert await stage.leases.write(HELD, HELD) == replace(HELD, counter=5)
    assert await stage.lease() == replace(HELD, counter=5)


async def test_a_write_brings_every_field_that_an_owner_changes_and_removes_what_is_gone(
    stage: Stage,
) -> None:
    before = replace(HELD, attempt_sequence=11, attempts=2)
    await stage.put(before)
    changed = replace(
        before,
        checkpoint="12",
        sub_sequence=3,
        children=("c",),
        owner_switches=4,
        deaths=5,
        attempt_sequence=13,
        attempts=1,
    )
    assert await stage.leases.write(before, changed) == replace(changed, counter=5) == await stage.lease()
    plain = replace(changed, counter=5, owner=None, deaths=0, attempt_sequence=None, attempts=0, children=())
    assert await stage.leases.write(replace(changed, counter=5), plain) == replace(plain, counter=6)
    assert await stage.lease() == replace(plain, counter=6)
    assert not {"leaseOwner", "deaths", "attemptSequence", "attempts"} & (await stage.row()).keys()


async def test_attributes_that_others_keep_in_the_row_stay(stage: Stage) -> None:
    await stage.put(HELD, throughputKBps={"N": "0.5"}, pausedReason={"S": "looked at"})
    await stage.leases.write(HELD, HELD)
    row = await stage.row()
    assert (row["throughputKBps"], row["pausedReason"]) == ({"N": "0.5"}, {"S": "looked at"})
    assert (row["parentShardId"], row["leaseCounter"]) == ({"SS": ["p"]}, {"N": "5"})


@pytest.mark.parametrize(
    "now", [replace(HELD, owner="thief", counter=5), FREE, replace(FREE, counter=5), None]
)
async def test_a_write_of_a_lost_lease_changes_nothing(stage: Stage, now: Lease | None) -> None:
    if now is not None:
        await stage.put(now)
    with pytest.raises(LeaseLost):
        await stage.leases.write(HELD, replace(HELD, checkpoint="99"))
    assert await stage.leases.read() == ({} if now is None else {"s": now})


async def test_a_write_whose_answer_was_lost_is_recognised(stage: Stage) -> None:
    await stage.put(HELD)
    stage.lose_answers(1)
    written = await stage.again(lambda: stage.leases.write(HELD, replace(HELD, checkpoint="12")))
    assert written == replace(HELD, checkpoint="12", counter=5) == await stage.lease()


async def test_a_write_goes_on_past_an_earlier_one_whose_answer_was_lost(stage: Stage) -> None:
    await stage.put(HELD)
    stage.lose_answers(1)
    with pytest.raises(TimedOut):
        await stage.leases.write(HELD, replace(HELD, checkpoint="11"))
    written = await stage.leases.write(HELD, replace(HELD, checkpoint="12"))
    assert written == replace(HELD, checkpoint="12", counter=6) == await stage.lease()


async def test_a_release_whose_answer_was_lost_is_recognised(stage: Stage) -> None:
    await stage.put(HELD)
    stage.lose_answers(1)
    freed = await stage.again(lambda: stage.leases.write(HELD, FREE))
    assert freed == replace(FREE, counter=5) == await stage.lease()


async def test_a_lease_is_deleted_only_as_it_was_seen(stage: Stage) -> None:
    await stage.put(replace(FREE, counter=5))
    await stage.leases.delete(FREE)
    assert "s" in await stage.leases.read()
    await stage.leases.delete(replace(FREE, counter=5))
    assert await stage.leases.read() == {}
    await stage.leases.delete(FREE)


async def test_the_owner_pauses_and_an_operator_resumes(stage: Stage) -> None:
    await stage.put(HELD)
    await stage.leases.pause(HELD, "too many")
    assert await stage.lease() == replace(HELD, paused="too many")
    await stage.leases.resume("s")
    assert await stage.lease() == HELD


async def test_who_lost_the_lease_cannot_pause_it(stage: Stage) -> None:
    thief = await stage.put(replace(HELD, owner="thief"))
    with pytest.raises(LeaseLost):
        await stage.leases.pause(HELD, "too many")
    assert await stage.lease() == thief


async def test_an_accepted_loss_ends_the_shard_and_frees_its_lease(stage: Stage) -> None:
    await stage.put(HELD)
    await stage.leases.accept_loss("s")
    assert await stage.lease() == replace(FREE, checkpoint=SHARD_END)


async def test_an_operator_makes_no_leases_by_a_slip_of_the_hand(stage: Stage) -> None:
    with pytest.raises(ConditionFailed):
        await stage.leases.resume("typo")
    with pytest.raises(ConditionFailed):
        await stage.leases.accept_loss("typo")
    assert await stage.leases.read() == {}


async def test_a_lease_whose_owner_is_silent_is_freed_only_as_it_was_seen(stage: Stage) -> None:
    await stage.put(HELD)
    assert await stage.leases.free(HELD, FREE) is True
    assert await stage.lease() == replace(FREE, counter=5)
    await stage.put(replace(HELD, counter=9))
    assert await stage.leases.free(HELD, FREE) is False
    assert await stage.lease() == replace(HELD, counter=9)


async def test_a_release_is_asked_of_the_owner_and_done_with_by_any_change_of_owner(stage: Stage) -> None:
    await stage.put(HELD)
    await stage.leases.ask_release(HELD)
    asked = replace(HELD, release_asked_of="me")
    assert await stage.lease() == asked
    beaten = await stage.leases.write(asked, asked)
    assert (await stage.lease()).release_asked_of == "me", "a heartbeat answers nothing"
    await stage.leases.write(beaten, replace(beaten, owner=None))
    assert (await stage.lease()).release_asked_of is None
    with pytest.raises(ConditionFailed):
        await stage.leases.ask_release(HELD)


async def test_a_rewind_is_asked_of_a_lease_that_exists_and_kept_by_heartbeats(stage: Stage) -> None:
    await stage.put(HELD)
    await stage.leases.ask_rewind("s", "7")
    asked = replace(HELD, rewind_to="7")
    assert await stage.lease() == asked
    await stage.leases.write(HELD, HELD)
    assert await stage.lease() == replace(asked, counter=5)
    with pytest.raises(ConditionFailed):
        await stage.leases.ask_rewind("typo", "7")


async def test_an_answer_to_a_rewind_removes_the_request_it_answers(stage: Stage) -> None:
    asked = await stage.put(replace(HELD, rewind_to="7"))
    await stage.leases.write(asked, replace(FREE, checkpoint="7"))
    assert await stage.lease() == replace(FREE, checkpoint="7", counter=5)


@pytest.mark.parametrize("counter", [4, 5])
async def test_an_answer_to_a_rewind_that_was_replaced_meanwhile_changes_nothing(
    stage: Stage, counter: int
) -> None:
    now = await stage.put(replace(HELD, rewind_to="9", counter=counter))
    with pytest.raises(RequestChanged):
        await stage.leases.write(replace(HELD, rewind_to="7"), replace(FREE, checkpoint="7"))
    assert await stage.lease() == now


async def test_an_answer_goes_on_past_a_heartbeat_whose_answer_was_lost(stage: Stage) -> None:
    await stage.put(replace(HELD, rewind_to="7", counter=5))
    await stage.leases.write(replace(HELD, rewind_to="7"), replace(FREE, checkpoint="7"))
    assert await stage.lease() == replace(FREE, checkpoint="7", counter=6)


async def test_a_heartbeat_minds_no_request_that_came_meanwhile(stage: Stage) -> None:
    await stage.put(replace(HELD, rewind_to="9", counter=7))
    await stage.leases.write(HELD, HELD)
    assert await stage.lease() == replace(HELD, rewind_to="9", counter=8)


async def test_a_lease_with_everything_set_is_written_whole_and_its_mark_taken_back(stage: Stage) -> None:
    full = replace(
        await stage.put(HELD),
        checkpoint="AT_TIMESTAMP",
        timestamp_ms=5,
        children=("c",),
        attempt_sequence=13,
        attempt_sub_sequence=2,
        attempts=1,
    )
    assert await stage.leases.write(HELD, full) == replace(full, counter=5) == await stage.lease()
    plain = replace(full, counter=5, attempt_sequence=None, attempt_sub_sequence=0, attempts=0)
    await stage.leases.write(replace(full, counter=5), plain)
    assert await stage.lease() == replace(plain, counter=6)
    assert "attemptSubSequence" not in await stage.row()


@pytest.mark.parametrize(
    "other",
    [
        Lease("s", counter=5, checkpoint="AT_TIMESTAMP", timestamp_ms=2_000),
        Lease("s", counter=5, checkpoint="AT_TIMESTAMP", timestamp_ms=1_000, sub_sequence=1),
    ],
)
async def test_an_answer_to_another_request_for_a_free_lease_is_not_taken_for_ours(
    stage: Stage, other: Lease
) -> None:
    await stage.put(other)
    seen = Lease("s", counter=4, checkpoint=SHARD_END, rewind_to="AT_TIMESTAMP:1000")
    ours = Lease("s", counter=4, checkpoint="AT_TIMESTAMP", timestamp_ms=1_000)
    with pytest.raises(RequestChanged):
        await stage.leases.write(seen, ours)
    assert await stage.leases.take(seen, ours) is None
    assert await stage.lease() == other


async def test_the_table_is_read_as_it_is_and_not_as_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, asked = stage.dynamodb.scan, []

    def noting(table: str, consistent: bool = True) -> Any:
        asked.append(consistent)
        return scan(table, consistent=consistent)

    monkeypatch.setattr(stage.dynamodb, "scan", noting)
    await stage.leases.read()
    assert asked == [True]
