"""Every metric of the indexer and of its maintenance."""

from __future__ import annotations

from services.kernel.core.metrics import Metrics, counter, gauge, histogram
from services.kernel.streams.group_metrics import GroupMetrics
from services.log_indexer.maintenance import Report

_WRITTEN_TO_INDEXED_BUCKETS_S = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)


class IndexerMetrics(GroupMetrics):
    """What every consumer shows, and what became of the entries."""

    service = "log_indexer"

    indexed = counter("indexed_entries", "Entries that became a document.", unit="entries")
    there = counter(
        "entries_already_there", "Entries whose document was there already; nothing changed.", unit="entries"
    )
    dropped = counter(
        "entries_past_retention", "Entries dropped because their day is no longer kept.", unit="entries"
    )
    item_errors = counter(
        "item_errors",
        "Entries that one try did not take: throttled, unavailable, missing_index, unmappable, too_large.",
        ["kind"],
        unit="entries",
    )
    bulk_calls = counter("bulk_calls", "Bulk requests, failed ones included.", unit="calls")
    bulk_errors = counter("bulk_errors", "Bulk requests that failed as a whole.", ["error"], unit="calls")
    bulk_s = histogram("bulk_seconds", "Duration of a bulk request.", unit="seconds")
    indices_created = counter("indices_created", "Indices that this process created.", unit="indices")
    written_to_indexed_s = histogram(
        "written_to_indexed_seconds",
        "From when the shipper read a line until its document was stored; a search finds it a refresh (1 s) later.",
        unit="seconds",
        buckets=_WRITTEN_TO_INDEXED_BUCKETS_S,
    )


class MaintenanceMetrics(Metrics):
    """What the daily work on the indices did."""

    service = "log_indexer_maintenance"

    runs = counter("runs", "Runs: done, or failed in some step.", ["outcome"], unit="runs")
    created = counter("created_indices", "Indices created before their first entry.", unit="indices")
    deleted = counter("deleted_indices", "Indices past retention that were deleted.", unit="indices")
    merged = counter(
        "merged_indices", "Indices of days that are over, merged to one segment.", unit="indices"
    )
    indices = gauge("indices", "Daily indices after the last run.", unit="indices")
    last_done_s = gauge("last_done_seconds", "When the last run was done, since the epoch.", unit="s")

    def tell(self, report: Report) -> None:
        """Count what one run did."""
        self.runs.labels("failed" if report.failed else "done").inc()
        self.created.inc(len(report.created))
        self.deleted.inc(len(report.deleted))
        self.merged.inc(len(report.merged))
        if not report.failed:
            self.indices.set(report.indices)
            self.last_done_s.set_to_current_time()
