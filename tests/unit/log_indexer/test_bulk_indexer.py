"""What becomes of each entry, whatever OpenSearch says to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from services.kernel.adapters.opensearch import NewDocument, Outcome
from services.kernel.core.errors import (
    InvalidRecord,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TimedOut,
    Unavailable,
)
from services.kernel.streams.batch_processor import BatchOutcome
from services.kernel.streams.records import Record
from services.log_indexer import entries
from services.log_indexer.bulk_indexer import BulkIndexer
from services.log_indexer.index_days import IndexDays
from services.log_indexer.metrics import IndexerMetrics
from services.log_indexer.preparation import prepare
from tests.memory.opensearch import MemoryOpenSearch
from tests.unit.log_indexer.log_entries import DAYS, FAMILY, TODAY, a_record, an_entry, as_record, clock

TODAYS_INDEX = f"{FAMILY}-2026.03.01"


class Counted(MemoryOpenSearch):
    """Writes down its calls and lets others come in between."""

    def __init__(self) -> None:
        super().__init__()
        self.bulks: list[int] = []
        self.creates: list[str] = []

    async def bulk_create(
        self, documents: Sequence[NewDocument], *, timeout_s: float | None = None
    ) -> list[Outcome]:
        self.bulks.append(len(documents))
        await asyncio.sleep(0)
        return await super().bulk_create(documents, timeout_s=timeout_s)

    async def create_index(self, name: str, *, settings: object = None) -> bool:
        self.creates.append(name)
        await asyncio.sleep(0)
        return await super().create_index(name)


class Stage:
    """An indexer over the memory twin."""

    def __init__(self, days: IndexDays = DAYS) -> None:
        self.engine = Counted()
        self.metrics = IndexerMetrics()
        self.indexer = BulkIndexer(self.engine, days, self.metrics, clock=clock)

    async def index(self, *records: Record) -> Sequence[BatchOutcome]:
        """Index with the template in place."""
        await prepare(self.engine, DAYS, TODAY)
        return await self.indexer.index(records)

    def value(self, name: str, **labels: str) -> float:
        """A sample of the metrics."""
        return self.metrics.registry.get_sample_value(f"cadabra_log_indexer_{name}", labels) or 0.0


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_an_entry_becomes_the_document_of_its_line_in_the_index_of_its_day(stage: Stage) -> None:
    yesterday = TODAY - timedelta(1)
    records = [a_record(0), a_record(1, yesterday)]
    assert await stage.index(*records) == [None, None]
    assert stage.engine.documents == {
        TODAYS_INDEX: {_id(records[0]): records[0].data},
        f"{FAMILY}-2026.02.28": {_id(records[1]): records[1].data},
    }
    assert stage.value("indexed_entries_total") == 2
    assert stage.value("indices_created_total") == 2
    assert stage.value("written_to_indexed_seconds_sum") == pytest.approx(3.0)


def _id(record: Record) -> str:
    return entries.document_id(entries.decode(record.data))


async def test_a_redelivery_changes_nothing(stage: Stage) -> None:
    first, again = a_record(0), a_record(0, event={"created": "2026-03-01T11:59:59.000Z"})
    assert await stage.index(first, again) == [None, None]
    assert await stage.index(again) == [None]
    assert stage.engine.documents[TODAYS_INDEX] == {_id(first): first.data}
    assert stage.value("indexed_entries_total") == 1
    assert stage.value("entries_already_there_total") == 2


async def test_a_missing_index_is_created_once_for_all_that_miss_it_and_its_documents_follow(
    stage: Stage,
) -> None:
    await prepare(stage.engine, DAYS, TODAY)
    batches = [[a_record(number * 10 + at) for at in range(5)] for number in range(8)]
    outcomes = await asyncio.gather(*(stage.indexer.index(batch) for batch in batches))
    assert outcomes == [[None] * 5] * 8
    assert stage.engine.creates == [TODAYS_INDEX]
    assert len(stage.engine.documents[TODAYS_INDEX]) == 40
    assert stage.value("item_errors_total", kind="missing_index") == 40


async def test_where_one_index_is_missing_only_its_entries_are_sent_again(stage: Stage) -> None:
    await stage.index(a_record(0))
    await stage.index(a_record(1), a_record(2, TODAY - timedelta(1)), a_record(3))
    assert stage.engine.bulks == [1, 1, 3, 1]


async def test_an_index_that_another_worker_creates_first_is_as_good(stage: Stage) -> None:
    await prepare(stage.engine, DAYS, TODAY)
    original = stage.engine.bulk_create

    async def overtaken(documents: Sequence[NewDocument], *, timeout_s: float | None = None) -> list[Outcome]:
        outcomes = await original(documents)
        await MemoryOpenSearch.create_index(stage.engine, TODAYS_INDEX)
        return outcomes

    stage.engine.bulk_create = overtaken  # type: ignore[method-assign]
    assert await stage.indexer.index([a_record(0)]) == [None]
    assert stage.value("indices_created_total") == 0


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), TimedOut("late"), Misconfigured("not allowed"), Refused("1000 shards already")],
)
async def test_an_index_that_cannot_be_created_is_waited_for(stage: Stage, error: Exception) -> None:
    stage.engine.fault = lambda operation: error if operation == "create_index" else None
    [outcome] = await stage.index(a_record(0))
    assert isinstance(outcome, Retryable)
    stage.engine.fault = lambda _operation: None
    assert await stage.index(a_record(0)) == [None]


async def test_an_index_that_goes_at_once_again_is_waited_for(stage: Stage) -> None:
    async def created_and_gone(name: str, *, settings: object = None) -> bool:
        return True

    stage.engine.create_index = created_and_gone  # type: ignore[method-assign]
    [outcome] = await stage.index(a_record(0))
    assert isinstance(outcome, Unavailable)


async def test_one_that_gives_up_leaves_the_creation_to_the_others(stage: Stage) -> None:
    await prepare(stage.engine, DAYS, TODAY)
    first = asyncio.create_task(stage.indexer.index([a_record(0)]))
    second = asyncio.create_task(stage.indexer.index([a_record(1)]))
    while not stage.engine.creates:
        await asyncio.sleep(0)
    first.cancel()
    assert await second == [None]
    assert stage.engine.creates == [TODAYS_INDEX]


async def test_of_a_bulk_each_item_is_looked_at(stage: Stage) -> None:
    errors: dict[str, Retryable | InvalidRecord] = {
        _id(a_record(1)): Throttled("429"),
        _id(a_record(2)): Unavailable("503"),
        _id(a_record(3)): InvalidRecord("unmappable", "the index does not take this document"),
        _id(a_record(4)): InvalidRecord("too_large", "above"),
    }
    stage.engine.document_fault = lambda document: errors.get(document.id)
    outcomes = await stage.index(*(a_record(offset) for offset in range(6)))
    assert outcomes == [None, *errors.values(), None]
    assert len(stage.engine.documents[TODAYS_INDEX]) == 2
    for kind in ("throttled", "unavailable", "unmappable", "too_large"):
        assert stage.value("item_errors_total", kind=kind) == 1


@pytest.mark.parametrize("error", [Unavailable("away"), TimedOut("late"), Throttled("slow")])
async def test_a_bulk_that_fails_whole_is_to_be_repeated_whole_and_nothing_else_is(
    stage: Stage, error: Retryable
) -> None:
    stage.engine.fault = lambda operation: error if operation == "bulk_create" else None
    records = [a_record(0), as_record(b"no json"), a_record(1, TODAY - timedelta(40)), a_record(2)]
    first, bad, dropped, last = await stage.index(*records)
    assert first is last is error
    assert isinstance(bad, InvalidRecord)
    assert dropped is None
    assert stage.value("bulk_errors_total", error=type(error).__name__) == 1
    assert stage.value("entries_past_retention_total") == 1


async def test_an_answer_that_is_lost_is_met_again(stage: Stage) -> None:
    await stage.index(a_record(0))
    lost = iter([TimedOut("lost")])
    stage.engine.fault_after = lambda operation: next(lost, None) if operation == "bulk_create" else None
    [outcome] = await stage.index(a_record(1))
    assert isinstance(outcome, TimedOut)
    assert await stage.index(a_record(1)) == [None]
    assert len(stage.engine.documents[TODAYS_INDEX]) == 2


async def test_permissions_that_are_taken_away_are_waited_for(stage: Stage) -> None:
    stage.engine.fault = lambda operation: Misconfigured("403") if operation == "bulk_create" else None
    [outcome] = await stage.index(a_record(0))
    assert isinstance(outcome, Unavailable)
    assert stage.value("bulk_errors_total", error="Misconfigured") == 1


async def test_an_entry_past_retention_is_dropped_and_counted_and_brings_no_index_back(stage: Stage) -> None:
    assert await stage.index(a_record(0, TODAY - timedelta(31)), a_record(1, "0001-01-01")) == [None, None]
    assert stage.engine.documents == {}
    assert stage.engine.bulks == []
    assert stage.value("entries_past_retention_total") == 2


@pytest.mark.parametrize("day", [TODAY + timedelta(3), "9999-12-31"])
async def test_an_entry_of_a_day_to_come_is_rejected_with_its_place(stage: Stage, day: date | str) -> None:
    [outcome] = await stage.index(a_record(0, day))
    assert isinstance(outcome, InvalidRecord)
    assert (outcome.reason, outcome.message) == ("contract_violation", "index_day out of range")
    assert [detail.pointer for detail in outcome.details] == ["/index_day"]
    assert stage.engine.documents == {}


async def test_a_back_fill_takes_its_days() -> None:
    stage = Stage(IndexDays(FAMILY, 30, (date(2015, 5, 17), date(2015, 5, 20))))
    assert await stage.index(a_record(0, "2015-05-20"), a_record(1, "2015-05-21")) == [None, None]
    assert list(stage.engine.documents) == [f"{FAMILY}-2015.05.20"]


async def test_thousands_of_hostile_dates_make_no_more_indices_than_there_are_days() -> None:
    backfill = (date(2015, 5, 1), date(2015, 5, 10))
    stage = Stage(IndexDays(FAMILY, 30, backfill))
    first = date(2010, 1, 1)
    days = [first + timedelta(at * 2) for at in range(4_000)] + [
        TODAY + timedelta(at) for at in range(-60, 60)
    ]
    days += [backfill[0] + timedelta(at) for at in range(-20, 20)]
    for at in range(0, len(days), 500):
        await stage.index(*(a_record(at + number, day) for number, day in enumerate(days[at : at + 500])))
    assert len(stage.engine.creates) == len(set(stage.engine.creates)) == 30 + 1 + 2 + 10


async def test_what_breaks_the_contract_is_rejected_and_the_rest_is_indexed(stage: Stage) -> None:
    first, second, third = await stage.index(as_record(b"{"), a_record(1), as_record(b"{}"))
    assert isinstance(first, InvalidRecord)
    assert first.reason == "invalid_json"
    assert second is None
    assert isinstance(third, InvalidRecord)
    assert third.reason == "contract_violation"


async def test_a_line_break_between_tokens_hides_no_action(stage: Stage) -> None:
    entry = an_entry(0)
    data = json.dumps(entry, indent=1).encode()
    assert await stage.index(as_record(data)) == [None]
    [body] = stage.engine.documents[TODAYS_INDEX].values()
    assert json.loads(body) == entry


async def test_nothing_is_sent_for_nothing(stage: Stage) -> None:
    assert await stage.index() == []
    assert stage.engine.bulks == []
