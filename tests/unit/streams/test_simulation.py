"""A few hundred random schedules with each run of the unit tier; `python -m tests.simulation` runs any number."""

from __future__ import annotations

import pytest

from services.kernel.streams import checkpoint, operator
from services.kernel.streams.records import Record
from tests.simulation.__main__ import run_seeds
from tests.simulation.schedule import play

SCHEDULES = 150
# Fixed, so that a run judges the code and not the draw; the command draws others and prints them.
FIRST_SEED = 20_260_101


def test_random_schedules_of_faults_break_no_promise() -> None:
    found = run_seeds(range(FIRST_SEED, FIRST_SEED + SCHEDULES))
    assert not found.broken, (
        f"replay with: python -m tests.simulation --schedules 1 --seed {min(found.broken)}"
    )
    assert found.schedules == SCHEDULES
    assert found.records >= 200 * SCHEDULES
    assert found.repeats > 0, "no fault ever made a record come again: the faults do not reach the group"


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = play(4), play(4)
    assert (first.steps, first.repeats, first.virtual_s) == (second.steps, second.repeats, second.virtual_s)


def test_a_checkpoint_past_an_open_record_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = checkpoint.CheckpointTracker.hand_out

    def hasty(tracker: checkpoint.CheckpointTracker, records: list[Record]) -> list[Record]:
        fresh = honest(tracker, records)
        if fresh:
            tracker._checkpoint = (fresh[-1].sequence_number, 0)
        return fresh

    monkeypatch.setattr(checkpoint.CheckpointTracker, "hand_out", hasty)
    assert any("past the open record" in what for what in run_seeds(range(10)).broken.values())


def test_a_rewind_that_leaves_records_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_arguments: object) -> bool:
        return False

    monkeypatch.setattr(operator.Operator, "_is_behind", never)
    broken = run_seeds(range(60)).broken.values()
    assert any("past an open record" in what for what in broken)
