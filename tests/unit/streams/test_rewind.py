"""Reading again from an earlier place: what a request says, whom it reaches, and who waits for whom meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from services.kernel.streams import deaths
from services.kernel.streams.held_lease import HeldLease
from services.kernel.streams.lease import SHARD_END, Lease, from_item, to_item
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Position
from services.kernel.streams.rewind import parents_first, requests_behind, rewound, to_sequence, to_time
from services.kernel.streams.shard_graph import readiness

TROUBLED = Lease(
    "a",
    owner="me",
    counter=7,
    checkpoint="50",
    sub_sequence=3,
    owner_switches=2,
    deaths=2,
    attempt_sequence=51,
    attempt_sub_sequence=4,
    attempts=1,
    paused="too bad",
)


def by_id(*leases: Lease) -> dict[str, Lease]:
    return {lease.shard_id: lease for lease in leases}


def test_a_lease_goes_to_a_time_and_forgets_its_deaths_but_not_its_pause() -> None:
    lease = rewound(replace(TROUBLED, rewind_to=to_time(1_700)))
    assert lease == Lease(
        "a", owner="me", counter=7, checkpoint="AT_TIMESTAMP", timestamp_ms=1_700, paused="too bad"
    )
    assert lease.position == Position.at_timestamp(1_700)
    assert not lease.started
    assert from_item(to_item(lease)) == lease


def test_a_lease_goes_behind_a_number_or_to_the_beginning() -> None:
    assert rewound(replace(TROUBLED, rewind_to=to_sequence(12))) == Lease(
        "a", owner="me", counter=7, checkpoint="12", paused="too bad"
    )
    assert rewound(Lease("a", checkpoint=SHARD_END, rewind_to="TRIM_HORIZON")) == Lease("a")


def test_the_time_goes_with_the_first_checkpoint_behind_it() -> None:
    lease = deaths.advanced(Lease("a", checkpoint="AT_TIMESTAMP", timestamp_ms=5), "9", 0)
    assert (lease.checkpoint, lease.timestamp_ms) == ("9", None)


def test_a_row_of_kcl_without_a_time_is_read_from_its_oldest_record() -> None:
    assert Lease("a", checkpoint="AT_TIMESTAMP").position == Position.trim_horizon()


def test_requests_and_times_survive_their_row() -> None:
    lease = Lease("a", checkpoint="AT_TIMESTAMP", timestamp_ms=0, rewind_to="5", release_asked_of="w")
    assert from_item(to_item(lease)) == lease


def test_parents_come_before_children() -> None:
    leases = by_id(Lease("a", parents=("b", "gone")), Lease("b", parents=("c",)), Lease("c"))
    assert [lease.shard_id for lease in parents_first(leases)] == ["c", "b", "a"]


def test_what_came_out_of_a_shard_is_read_again_from_its_beginning_after_it() -> None:
    leases = by_id(
        Lease("z", checkpoint=SHARD_END),
        Lease("a", checkpoint="90", parents=("z",)),
        Lease("b", checkpoint=SHARD_END, parents=("z",)),
        Lease("c", parents=("b",)),
        Lease("other", checkpoint="7"),
    )
    found = requests_behind({"z": 40}, leases)
    assert found == {"z": "40", "a": "TRIM_HORIZON", "b": "TRIM_HORIZON", "c": "TRIM_HORIZON"}
    assert next(iter(found)) == "z"
    assert list(found).index("b") < list(found).index("c")


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ({"gone": 1}, "no lease"),
        ({"new": 1}, "never handled"),
        ({"open": 51}, "never handled"),
        ({"old": 1, "child": 2}, "comes out of another"),
        ({"grandchild": 2}, "being read again"),
        ({"waiting": 2}, "being read again"),
    ],
)
def test_what_would_leave_records_out_or_mix_their_order_is_refused(
    numbers: dict[str, int], why: str
) -> None:
    leases = by_id(
        Lease("new"),
        Lease("open", checkpoint="50"),
        Lease("old", checkpoint=SHARD_END),
        Lease("child", checkpoint="9", parents=("old",)),
        Lease("again", checkpoint="5"),
        Lease("between", checkpoint=SHARD_END, parents=("again",)),
        Lease("grandchild", checkpoint="8", parents=("between",)),
        Lease("asked", checkpoint=SHARD_END, rewind_to="3"),
        Lease("waiting", checkpoint="8", parents=("asked",)),
    )
    with pytest.raises(ValueError, match=why):
        requests_behind(numbers, leases)


def test_the_checkpoint_itself_may_be_named() -> None:
    assert requests_behind({"open": 50}, by_id(Lease("open", checkpoint="50"))) == {"open": "50"}


def test_what_came_out_of_shards_that_were_read_to_their_end_may_be_read_again_alone() -> None:
    leases = by_id(Lease("old", checkpoint=SHARD_END), Lease("child", checkpoint="9", parents=("old",)))
    assert requests_behind({"child": 2}, leases) == {"child": "2"}


def test_a_rewound_child_waits_for_a_parent_whose_request_is_not_answered() -> None:
    child = Lease("b", checkpoint="AT_TIMESTAMP", timestamp_ms=5, parents=("a",))
    parent = Lease("a", checkpoint=SHARD_END)
    asked = replace(parent, rewind_to=to_time(5))
    assert readiness(child, by_id(child, parent), ["a", "b"]).startable
    assert not readiness(child, by_id(child, asked), ["a", "b"]).startable
    assert not readiness(child, by_id(child, rewound(asked)), ["a", "b"]).startable
    assert readiness(child, by_id(child, asked), ["b"]).startable, "a shard that is gone cannot be reopened"


@pytest.mark.parametrize(("request_", "checkpoint", "answers"), [("9", "9", "9"), (None, "50", None)])
def test_an_answer_releases_the_lease_in_the_same_write(
    request_: str | None, checkpoint: str, answers: str | None
) -> None:
    writes: list[tuple[Lease, Lease]] = []

    class Table:
        async def write(self, seen: Lease, changed: Lease) -> Lease:
            writes.append((seen, changed))
            return changed

    async def answer() -> Lease:
        held = HeldLease(cast(LeaseTable, Table()), TROUBLED, 10.0, asyncio.get_running_loop().time)
        return await held.rewind(request_)

    lease = asyncio.run(answer())
    [(seen, changed)] = writes
    assert seen.rewind_to == answers
    assert lease == changed
    assert (changed.owner, changed.checkpoint, changed.rewind_to) == (None, checkpoint, None)
