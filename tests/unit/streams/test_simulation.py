"""The simulation itself: a few schedules, that its judge can fail, and that a seed replays. Its tier runs 20,000."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.streams import checkpoint, operator
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Record
from services.kernel.streams.shard_sync import ShardSync
from tests.simulation import __main__ as command
from tests.simulation.runs import Summary, quietly, run_seeds
from tests.simulation.schedule import play

SCHEDULES = 20
# Fixed, so that a run judges the code and not the draw; the command draws others and prints them.
FIRST_SEED = 20_260_101
# Where Kinesis hangs while a look at the stream is due.
SHOW_A_SLOW_LIST = (97, 182, 652)


def test_random_schedules_of_faults_break_no_promise() -> None:
    found = run_seeds(range(FIRST_SEED, FIRST_SEED + SCHEDULES))
    assert not found.broken, (
        f"replay with: python -m tests.simulation --schedules 1 --seed {min(found.broken)}"
    )
    assert found.schedules == SCHEDULES
    assert found.records >= 200 * SCHEDULES
    assert found.repeats > 0, "no fault ever made a record come again: the faults do not reach the group"


def test_the_same_seed_gives_the_same_run() -> None:
    with quietly():
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
    broken = run_seeds(range(10)).broken.values()
    assert any("past the open record" in what for what in broken)


def test_a_worker_that_waits_for_kinesis_in_its_rounds_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = ShardSync.keep_up

    async def waiting(sync: ShardSync, leases: dict[str, Lease]) -> bool:
        changed = await beside(sync, leases)
        await sync._look.wait()
        return changed

    monkeypatch.setattr(ShardSync, "keep_up", waiting)
    broken = run_seeds(SHOW_A_SLOW_LIST).broken.values()
    assert any("did not look at the table" in what for what in broken)


def test_a_broken_promise_and_an_empty_cell_fail_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    arguments = ["--schedules", "1", "--seed", "4", "--processes", "1", f"--junitxml={report}"]
    assert command.main(arguments) == 0
    assert "1 schedules from seed 4" in capsys.readouterr().out
    assert 'tests="1" failures="0"' in report.read_text()
    monkeypatch.setattr(command, "ENOUGH_FOR_EVERY_CELL", 1)
    assert command.main(arguments) == 1
    assert "never met: " in capsys.readouterr().out
    broken = Summary(broken={4: "Broken: a promise"})
    monkeypatch.setattr(command, "run_all", lambda *_arguments: [broken])
    monkeypatch.setattr(command, "ENOUGH_FOR_EVERY_CELL", 2)
    assert command.main(arguments) == 1
    assert "seed 4: Broken: a promise" in capsys.readouterr().out
    assert 'tests="1" failures="1"' in report.read_text()
