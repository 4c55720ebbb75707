"""The simulation's judge can fail: each broken promise is shown to it once, beside what looks alike and is right."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from services.kernel.streams.lease import SHARD_END, Lease, to_item
from services.kernel.streams.records import Record
from tests.simulation.judge import Broken, Judge
from tests.simulation.stream import SPACING, SimStream

SHARD, CHILD = "shardId-000000000000", "shardId-000000000001"


class Stage:
    """A stream of one shard whose first put is an aggregate of two records, its lease with a worker, a clock."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.stream = SimStream(random.Random(0), shards=1, aggregated=0.0)
        self.judge = Judge(self.stream, lambda: self.now_s)
        self.shard = self.stream.shards[SHARD]
        self.stream._puts = 1
        self.stream._store(self.shard, "k", b"", ["k", "k"], 0)
        self.put(2)
        self.lease = Lease(SHARD, owner="w", counter=1)
        self.judge.made(to_item(self.lease))

    def put(self, number: int) -> None:
        """Put one more record of the same key."""
        self.stream._puts = number
        self.stream._store(self.shard, "k", b"x", ["k"], 100 * number)

    def handle(self, number: int, sub: int = 0, shard_id: str = SHARD) -> None:
        """The worker has the effect of one record."""
        self.judge.effect(Record(shard_id, number * SPACING, "k", b"x", 0, sub), "w")

    def write(self, by: str = "w", began_at_s: float = 0.0, **changes: object) -> None:
        """Write the lease, changed."""
        counter = self.lease.counter + (0 if by == "an operator" else 1)
        self.lease = replace(self.lease, counter=counter, **changes)  # type: ignore[arg-type]
        self.judge.written(to_item(self.lease), by, began_at_s)

    def checkpoint(self, number: int, sub: int = 0) -> None:
        """Checkpoint behind one record."""
        self.write(checkpoint=str(number * SPACING), sub_sequence=sub, timestamp_ms=None)

    def rewind(self, timestamp_ms: int, began_at_s: float) -> None:
        """Ask for a rewind and answer it."""
        self.write("an operator", began_at_s, rewind_to=f"AT_TIMESTAMP:{timestamp_ms}")
        self.write(checkpoint="AT_TIMESTAMP", timestamp_ms=timestamp_ms, sub_sequence=0, rewind_to=None)

    def handle_all(self) -> None:
        """Handle what was put, in order, and checkpoint behind it."""
        self.handle(1, 0)
        self.handle(1, 1)
        self.handle(2)
        self.checkpoint(2)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_checkpoint_inside_an_aggregate_counts_what_is_inside(stage: Stage) -> None:
    stage.handle(1, 0)
    stage.checkpoint(1, 0)
    with pytest.raises(Broken, match="past the open record"):
        stage.checkpoint(1, 1)


def test_a_key_has_its_order_inside_an_aggregate(stage: Stage) -> None:
    with pytest.raises(Broken, match="before 64 of the same key"):
        stage.handle(1, 1)


def test_only_the_owner_checkpoints(stage: Stage) -> None:
    stage.handle(1, 0)
    with pytest.raises(Broken, match="checkpointed by z while w held it"):
        stage.write("z", checkpoint=str(SPACING))


def test_a_checkpoint_never_moves_backwards_and_a_counter_always_rises(stage: Stage) -> None:
    stage.handle_all()
    with pytest.raises(Broken, match="moved backwards"):
        stage.checkpoint(1, 1)
    with pytest.raises(Broken, match="did not rise"):
        stage.judge.written(to_item(replace(stage.judge.leases[SHARD], owner="z")), "z", 0.0)


def test_an_open_shard_is_never_at_its_end(stage: Stage) -> None:
    stage.handle_all()
    with pytest.raises(Broken, match="ended while it is open"):
        stage.write(checkpoint=SHARD_END)


def test_a_child_is_read_after_its_parent(stage: Stage) -> None:
    stage.stream.split()
    with pytest.raises(Broken, match="while 3 records of shardId-000000000000 were open"):
        stage.handle(7, shard_id=CHILD)


def test_a_place_behind_the_last_record_is_the_tip(stage: Stage) -> None:
    stage.handle_all()
    stage.rewind(timestamp_ms=900, began_at_s=1.0)
    assert stage.judge.all_handled
    assert stage.judge.all_checkpointed
    stage.put(9)
    assert not stage.judge.all_checkpointed


def test_what_a_rewind_asks_for_is_owed_and_in_order(stage: Stage) -> None:
    stage.handle_all()
    stage.rewind(timestamp_ms=0, began_at_s=1.0)
    assert not stage.judge.all_handled
    with pytest.raises(Broken, match="handled again before its predecessor"):
        stage.handle(1, 1)


def test_a_rewind_leaves_no_open_record_out(stage: Stage) -> None:
    stage.handle(1, 0)
    with pytest.raises(Broken, match="past the open record"):
        stage.rewind(timestamp_ms=200, began_at_s=1.0)


@pytest.mark.parametrize("began_at_s", [0.5, 1.5])
def test_of_two_rewinds_the_later_leaves_out_only_what_it_could_not_see(
    stage: Stage, began_at_s: float
) -> None:
    stage.handle_all()
    stage.rewind(timestamp_ms=0, began_at_s=0.0)
    stage.now_s = 2.0
    if began_at_s < 1.0:  # before the first one's answer, at 1.0
        stage.rewind(timestamp_ms=900, began_at_s=began_at_s)
        assert stage.judge.all_handled
    else:
        with pytest.raises(Broken, match="that is to come again"):
            stage.rewind(timestamp_ms=900, began_at_s=began_at_s)


@pytest.mark.parametrize("same_command", [True, False])
def test_a_child_waits_for_what_its_own_command_wants_of_its_parent(stage: Stage, same_command: bool) -> None:
    stage.handle_all()
    stage.stream.split()
    stage.shard = stage.stream.shards[CHILD]
    stage.put(3)
    stage.handle(3, shard_id=CHILD)
    child = Lease(CHILD, owner="w", counter=1, parents=(SHARD,))
    stage.judge.made(to_item(child))
    stage.judge.written(to_item(replace(child, rewind_to="TRIM_HORIZON")), "an operator", 1.0)
    stage.judge.written(to_item(replace(child, counter=2)), "w", 1.0)
    stage.rewind(timestamp_ms=200, began_at_s=1.0 if same_command else 2.0)
    if same_command:
        with pytest.raises(Broken, match="again before"):
            stage.handle(3, shard_id=CHILD)
    else:
        stage.handle(3, shard_id=CHILD)
