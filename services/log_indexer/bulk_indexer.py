"""Entries into their daily indices by bulk: what the consumer group hands its batches to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Protocol

from services.kernel.adapters.opensearch import Effect, MissingIndex, NewDocument, Outcome
from services.kernel.core import logs
from services.kernel.core.errors import (
    Detail,
    InvalidRecord,
    Misconfigured,
    Retryable,
    Throttled,
    Unavailable,
)
from services.kernel.streams.batch_processor import BatchOutcome
from services.kernel.streams.records import Record
from services.log_indexer import entries
from services.log_indexer.daily_indices import CreatesIndices, DailyIndices
from services.log_indexer.index_days import IndexDays, Standing
from services.log_indexer.metrics import IndexerMetrics

log = logs.get("bulk_indexer")


class Engine(CreatesIndices, Protocol):
    """What the indexer needs of OpenSearch."""

    async def bulk_create(
        self, documents: Sequence[NewDocument], *, timeout_s: float | None = None
    ) -> list[Outcome]:
        """Create each document if nothing stands under its id."""


class BulkIndexer:
    """Makes entries documents; `index` is the handler of the consumer group.

    Every document is created and never changed, under an id that is the line's own, in the index of a day that the
    record carries. So it may come late, twice, in any order, or from a worker that lost its lease without knowing.

    Args:
        timeout_s: of one bulk request.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        engine: Engine,
        days: IndexDays,
        metrics: IndexerMetrics,
        timeout_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._days = days
        self._indices = DailyIndices(engine, metrics)
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._clock = clock

    async def index(self, records: Sequence[Record]) -> Sequence[BatchOutcome]:
        """Make each record's entry a document, drop those past retention.

        Returns:
            For each record: None once its document is stored, or there already, or not to be kept; InvalidRecord for
            what breaks the contract, has a day that is not possible, or cannot be held by the index; Retryable for
            what OpenSearch may take later.
        """
        outcomes: list[BatchOutcome] = [None] * len(records)
        documents: dict[int, NewDocument] = {}
        created: dict[int, str] = {}
        days: dict[str, str | Standing] = {}
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        for place, record in enumerate(records):
            try:
                entry = entries.decode(record.data)
                index = self._index_of(entry.index_day, today, days)
            except InvalidRecord as error:
                outcomes[place] = error
                continue
            if index is None:
                self._metrics.dropped.inc()
                continue
            documents[place] = NewDocument(index, entries.document_id(entry), entries.body(record.data))
            created[place] = entry.event.created
        for place, outcome in (await self._create(documents)).items():
            outcomes[place] = self._counted(outcome, created[place])
        return outcomes

    def _index_of(self, index_day: str, today: date, days: dict[str, str | Standing]) -> str | None:
        """The index of a day; None where it is past retention.

        Args:
            days: what is known already of this batch's days: the index, or why there is none.

        Raises:
            InvalidRecord: the day is none that an entry can have.
        """
        known = days.get(index_day)
        if known is None:
            day = date.fromisoformat(index_day)
            standing = self._days.standing(day, today)
            known = days[index_day] = self._days.name(day) if standing is Standing.KEPT else standing
        if known is Standing.OUT_OF_RANGE:
            details = [Detail("/index_day", "index_day out of range")]
            raise InvalidRecord("contract_violation", "index_day out of range", details)
        return known if isinstance(known, str) else None

    async def _create(self, documents: dict[int, NewDocument]) -> dict[int, Outcome]:
        """Create documents, and before a second try the indices that were missing."""
        outcomes = await self._bulk(documents)
        missing = {
            place: outcome.index for place, outcome in outcomes.items() if isinstance(outcome, MissingIndex)
        }
        if not missing:
            return outcomes
        self._metrics.item_errors.labels("missing_index").inc(len(missing))
        failed = await self._indices.create(set(missing.values()))
        outcomes.update((place, failed[index]) for place, index in missing.items() if index in failed)
        again = {place: documents[place] for place, index in missing.items() if index not in failed}
        return outcomes | await self._bulk(again)

    async def _bulk(self, documents: dict[int, NewDocument]) -> dict[int, Outcome]:
        if not documents:
            return {}
        started = time.perf_counter()
        try:
            outcomes = await self._engine.bulk_create(list(documents.values()), timeout_s=self._timeout_s)
        except Retryable as error:
            self._metrics.bulk_errors.labels(type(error).__name__).inc()
            return dict.fromkeys(documents, error)
        except Misconfigured as error:
            # It worked before: permissions that were taken away are no fault of the entries, which wait for them.
            log.error("bulk_refused", error=error)
            self._metrics.bulk_errors.labels(type(error).__name__).inc()
            return dict.fromkeys(documents, Unavailable(str(error)))
        finally:
            self._metrics.bulk_calls.inc()
            self._metrics.bulk_s.observe(time.perf_counter() - started)
        return dict(zip(documents, outcomes, strict=True))

    def _counted(self, outcome: Outcome, created: str) -> BatchOutcome:
        """What the consumer group is told, once the metrics know it."""
        match outcome:
            case Effect.CREATED:
                self._metrics.indexed.inc()
                self._metrics.written_to_indexed_s.observe(max(0.0, self._clock() - entries.seconds(created)))
                return None
            case Effect.ALREADY_THERE:
                self._metrics.there.inc()
                return None
            case MissingIndex():  # deleted between its creation and the second try
                self._metrics.item_errors.labels("missing_index").inc()
                return Unavailable(str(outcome))
            case InvalidRecord():
                self._metrics.item_errors.labels(outcome.reason).inc()
            case _:
                kind = "throttled" if isinstance(outcome, Throttled) else "unavailable"
                self._metrics.item_errors.labels(kind).inc()
        return outcome
