"""Every metric of log_shipper."""

from __future__ import annotations

from services.kernel.core.metrics import counter, gauge
from services.kernel.streams.producer_metrics import ProducerMetrics
from services.kernel.tail.followed_files import FollowedFiles
from services.kernel.tail.limits import TailCounts

FILE_STATES = ("followed", "finished", "unreadable", "waiting", "perhaps_copy", "refused", "gone")
ROTATIONS = ("renamed", "copied", "truncated", "deleted")


class ShipperMetrics(ProducerMetrics):
    """What an operator sees of the logs."""

    service = "log_shipper"

    lines_read = counter("lines_read", "Lines read; one read again after a restart counts again.")
    lines_shipped = counter("lines_shipped", "Lines that the stream has taken, repeats included.")
    lines_unparsed = counter(
        "lines_unparsed", "Lines shipped with their text because they were not read in full.", ("reason",)
    )
    read_bytes = counter("read_bytes", "Bytes read of the files.", unit="bytes")
    shipped_bytes = counter("shipped_bytes", "Bytes of aggregates that the stream has taken.", unit="bytes")
    files = gauge(
        "files",
        "Files by state: followed, finished (rotated, read to the end, quiet), unreadable, waiting (no room among the "
        "known ones), perhaps_copy (waits for its grace time), refused (no regular file), gone (known, found nowhere).",
        ("state",),
    )
    lag_bytes = gauge("lag_bytes", "Bytes in the files that are not durably in the stream yet.", unit="bytes")
    oldest_unread = gauge(
        "oldest_unread_s", "Age of the oldest byte that is not durably in the stream yet.", unit="seconds"
    )
    open_bytes = gauge("open_bytes", "Bytes handed to the stream that are not durable yet.", unit="bytes")
    open_bytes_limit = gauge(
        "open_bytes_limit", "Bound of open_bytes, past which reading waits.", unit="bytes"
    )
    files_limit = gauge("files_limit", "How many files can be known; past it new ones wait.")
    look_s = gauge("look_s", "How long the last look at the files took.", unit="seconds")
    rotations = counter(
        "rotations",
        "Rotations met: renamed, copied (and truncated), truncated (no copy found), deleted.",
        ("kind",),
    )
    lost_bytes = counter(
        "lost_bytes", "Bytes that were seen in a file and were gone before they were read.", unit="bytes"
    )
    lost_possible = counter(
        "lost_possible",
        "Files that were gone or truncated while nobody looked, unread lines perhaps in them.",
    )
    state_save_failures = counter("state_save_failures", "Writes of the positions that failed.")
    state_saving_fails = gauge(
        "state_saving_fails", "1 while the positions cannot be written: new files wait."
    )
    file_errors = counter("file_errors", "Opens and reads of files that failed.")
    put_retries = counter("put_retries", "Puts that had to be tried again.", ("error",))


class TailGauges:
    """Shows what a tail counts and holds as metrics."""

    def __init__(self, metrics: ShipperMetrics) -> None:
        self._metrics = metrics
        self._shown = TailCounts()
        for kind in ROTATIONS:
            metrics.rotations.labels(kind=kind)

    def show(self, files: FollowedFiles) -> None:
        """Brings the metrics up to what the files say now."""
        metrics, now, shown = self._metrics, files.counts, self._shown
        for kind in ROTATIONS:
            metrics.rotations.labels(kind=kind).inc(now.rotations[kind] - shown.rotations[kind])
            shown.rotations[kind] = now.rotations[kind]
        metrics.lost_bytes.inc(now.lost_bytes - shown.lost_bytes)
        metrics.lost_possible.inc(now.lost_possible - shown.lost_possible)
        metrics.state_save_failures.inc(now.save_failures - shown.save_failures)
        metrics.file_errors.inc(now.file_errors - shown.file_errors)
        shown.lost_bytes, shown.lost_possible = now.lost_bytes, now.lost_possible
        shown.save_failures, shown.file_errors = now.save_failures, now.file_errors
        states = files.states()
        for state in FILE_STATES:
            metrics.files.labels(state=state).set(states[state])
        metrics.lag_bytes.set(files.lag_bytes())
        metrics.oldest_unread.set(files.oldest_unread_s())
        metrics.state_saving_fails.set(files.saving_fails)
