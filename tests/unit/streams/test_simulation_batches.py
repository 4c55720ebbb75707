"""The consumer group under random schedules of faults, its records handled in batches: every promise but order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.batch_processor import BatchOutcome, per_batch
from services.kernel.streams.processor import Handler, ProcessorFactory
from services.kernel.streams.records import Record
from tests.simulation import worker
from tests.simulation.runs import run_seeds
from tests.simulation.stream import SimStream

SCHEDULES = 20
# Fixed, so that a run judges the code and not the draw.
FIRST_SEED = 20_260_201


def in_batches(handle: Handler, concurrency: int, retry: Retry) -> ProcessorFactory:
    """What a worker's handler does, one record of a batch after another."""

    async def outcome(record: Record) -> BatchOutcome:
        try:
            await handle(record)
        except (Retryable, InvalidRecord) as error:
            return error
        return None

    async def handle_all(records: Sequence[Record]) -> Sequence[BatchOutcome]:
        return [await outcome(record) for record in records]

    return per_batch(
        handle_all, max_records=8, max_bytes=4_000, linger_s=0.1, concurrency=concurrency, retry=retry
    )


@pytest.fixture
def _in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SimStream.put

    def unordered(stream: SimStream, now_s: float) -> None:
        honest(stream, now_s)
        stream.before.clear()  # what has to be handled before what: batches promise nothing of that

    monkeypatch.setattr(worker, "per_record", in_batches)
    monkeypatch.setattr(SimStream, "put", unordered)


@pytest.mark.usefixtures("_in_batches")
def test_random_schedules_of_faults_break_no_promise() -> None:
    found = run_seeds(range(FIRST_SEED, FIRST_SEED + SCHEDULES))
    assert not found.broken
    assert found.schedules == SCHEDULES
    assert found.repeats > 0, "no fault ever made a record come again: the faults do not reach the group"
