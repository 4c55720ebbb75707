"""A run of the maintenance: what it does, what it leaves alone, and that it may be cut short or repeated anywhere."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date, timedelta

import pytest

from services.kernel.adapters.opensearch import MissingIndex, NewDocument
from services.kernel.core.errors import Refused, TimedOut, Unavailable
from services.log_indexer.index_days import IndexDays
from services.log_indexer.maintenance import Maintenance
from services.log_indexer.metrics import MaintenanceMetrics
from services.log_indexer.preparation import prepare, template
from tests.memory.opensearch import MemoryOpenSearch
from tests.unit.log_indexer.log_entries import FAMILY, TODAY, clock

BACKFILL = (date(2015, 5, 17), date(2015, 5, 20))
DAYS = IndexDays(FAMILY, 30, BACKFILL)
OTHERS = [f"{FAMILY}-2001.01.01-restored", f"{FAMILY}-notes", "eu-shop-access-logs-2001.01.01", "orders"]
TODAY_AND_TOMORROW = [f"{FAMILY}-2026.03.01", f"{FAMILY}-2026.03.02"]


def name(days_ago: int) -> str:
    return DAYS.name(TODAY - timedelta(days_ago))


async def filled() -> MemoryOpenSearch:
    """Indices of all ages with a few documents each, and others that look alike."""
    engine = MemoryOpenSearch()
    names = [name(ago) for ago in (0, 1, 2, 3, 30, 31, 90)]
    for one in [*names, DAYS.name(BACKFILL[0]), *OTHERS]:
        await engine.create_index(one)
        await engine.bulk_create([NewDocument(one, str(number), b"{}") for number in range(3)])
    return engine


def maintenance(engine: MemoryOpenSearch) -> Maintenance:
    return Maintenance(engine, DAYS, clock)


KEPT = sorted([*(name(ago) for ago in (-1, 0, 1, 2, 3, 30)), DAYS.name(BACKFILL[0]), *OTHERS])


async def test_a_run_makes_the_next_deletes_the_old_and_merges_what_is_over() -> None:
    engine = await filled()
    report = await maintenance(engine).run()
    assert report.created == [name(-1)]
    assert sorted(report.deleted) == sorted([name(31), name(90)])
    assert report.merged == sorted([name(3), name(30), DAYS.name(BACKFILL[0])])
    assert report.failed == []
    assert report.indices == 7
    assert sorted(engine.documents) == KEPT


async def test_a_second_run_does_nothing() -> None:
    engine = await filled()
    await maintenance(engine).run()
    report = await maintenance(engine).run()
    assert (report.created, report.deleted, report.merged, report.failed) == ([], [], [], [])


async def test_two_at_once_are_harmless() -> None:
    engine = await filled()
    reports = await asyncio.gather(maintenance(engine).run(), maintenance(engine).run())
    assert [report.failed for report in reports] == [[], []]
    assert sorted(engine.documents) == KEPT


async def test_the_first_index_of_all_has_the_template() -> None:
    engine = MemoryOpenSearch()
    report = await maintenance(engine).run()
    assert report.created == TODAY_AND_TOMORROW
    [document] = await engine.bulk_create([NewDocument(TODAY_AND_TOMORROW[0], "1", b'{"unknown":1}')])
    assert isinstance(document, Exception)
    assert engine.auto_create == f"-{FAMILY}-*,+*"


async def operations_of_a_run() -> list[str]:
    engine, asked = await filled(), list[str]()

    def note(operation: str) -> None:
        asked.append(operation)

    engine.fault = note
    await maintenance(engine).run()
    return asked


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after it"])
async def test_a_crash_at_any_step_is_made_good_by_the_next_run(after: bool) -> None:
    for step in range(len(await operations_of_a_run())):
        engine, asked = await filled(), 0

        def crash(_operation: str, at: int = step) -> BaseException | None:
            nonlocal asked
            asked += 1
            return KeyboardInterrupt() if asked == at + 1 else None

        setattr(engine, "fault_after" if after else "fault", crash)
        with contextlib.suppress(KeyboardInterrupt):
            await maintenance(engine).run()
        engine.fault = engine.fault_after = lambda _operation: None
        report = await maintenance(engine).run()
        assert report.failed == []
        assert sorted(engine.documents) == KEPT
        assert set(engine.merged) == {name(3), name(30), DAYS.name(BACKFILL[0])}


@pytest.mark.parametrize(
    "operation", ["put_template", "set_auto_create", "create_index", "delete_index", "force_merge"]
)
async def test_a_step_that_fails_is_told_and_holds_no_other_up(operation: str) -> None:
    engine = await filled()
    engine.fault = lambda asked: Unavailable(operation) if asked == operation else None
    report = await maintenance(engine).run()
    assert report.failed
    assert all(str(error) == operation for error in report.failed)
    done = {"delete_index": report.deleted, "force_merge": report.merged, "create_index": report.created}
    for step, names in done.items():
        needs_template = step == "create_index" and operation in ("put_template", "set_auto_create")
        assert bool(names) is not (step == operation or needs_template)
    assert report.facts()["failed"] == [f"Unavailable: {operation}"] * len(report.failed)


async def test_without_the_template_no_index_is_made() -> None:
    engine = MemoryOpenSearch()
    engine.fault = lambda asked: Unavailable("away") if asked == "put_template" else None
    await maintenance(engine).run()
    assert engine.documents == {}


async def test_a_merge_that_takes_long_goes_on_in_opensearch() -> None:
    engine = await filled()
    engine.fault_after = lambda asked: TimedOut("late") if asked == "force_merge" else None
    engine.fault = lambda asked: TimedOut("late") if asked == "force_merge" else None
    report = await maintenance(engine).run()
    assert len(report.merged) == 3
    assert report.failed == []


async def test_an_index_that_goes_before_its_merge_is_no_failure() -> None:
    engine = await filled()
    gone = name(3)
    original = engine.indices

    looks = iter(("of the preparation", "for what is over"))

    async def listed(pattern: str) -> object:
        found = await original(pattern)
        if next(looks) == "for what is over":
            del engine.documents[gone]
        return found

    engine.indices = listed  # type: ignore[assignment, method-assign]
    report = await maintenance(engine).run()
    assert gone not in report.merged
    assert report.failed == []


async def test_the_metrics_tell_of_each_run() -> None:
    engine, metrics = await filled(), MaintenanceMetrics()
    metrics.tell(await maintenance(engine).run())
    engine.fault = lambda _operation: Unavailable("away")
    metrics.tell(await maintenance(engine).run())

    def value(sample: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"cadabra_log_indexer_maintenance_{sample}", labels)

    assert [value("runs_total", outcome=outcome) for outcome in ("done", "failed")] == [1, 1]
    assert value("deleted_indices_total") == 2
    assert value("created_indices_total") == 1
    assert value("merged_indices_total") == 3
    assert value("indices") == 7
    assert value("last_done_seconds")


async def test_the_template_is_that_of_the_contract_for_the_names_of_this_family() -> None:
    engine = MemoryOpenSearch()
    await prepare(engine, DAYS, TODAY)
    await prepare(engine, DAYS, TODAY)
    [(family, put)] = engine.templates.items()
    assert family == FAMILY
    assert put["index_patterns"] == [f"{FAMILY}-*"]
    assert put["template"] == template()["template"]
    assert put["template"]["mappings"]["dynamic"] == "strict"


async def test_an_index_that_is_written_to_gets_what_the_contract_has_got_since() -> None:
    engine = MemoryOpenSearch()
    old = {**template()["template"]["mappings"], "properties": {"generation": {"type": "keyword"}}}
    before = {"index_patterns": [DAYS.pattern], "template": {"mappings": old}}
    await engine.put_template(FAMILY, before)
    for index in (name(-1), name(0), name(5), OTHERS[0]):
        await engine.create_index(index)

    async def takes(index: str) -> bool:
        [outcome] = await engine.bulk_create([NewDocument(index, "1", b'{"index_day":"2026-03-01"}')])
        return not isinstance(outcome, Exception)

    assert not await takes(name(-1))
    await prepare(engine, DAYS, TODAY)
    assert [await takes(index) for index in (name(-1), name(0), name(5), OTHERS[0])] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("error", [Refused("another type"), MissingIndex("gone")])
async def test_an_index_whose_mapping_stays_holds_nothing_up(error: Exception) -> None:
    engine = await filled()
    engine.fault = lambda asked: error if asked == "put_mapping" else None
    report = await maintenance(engine).run()
    assert report.failed == []
    assert report.created == [name(-1)]
