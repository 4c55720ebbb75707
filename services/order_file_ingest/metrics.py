"""Every metric of order_file_ingest."""

from __future__ import annotations

from services.kernel.core.metrics import counter, gauge
from services.kernel.streams.producer_metrics import ProducerMetrics


class FileMetrics(ProducerMetrics):
    """What an operator sees of the order files."""

    service = "order_file_ingest"

    lines = counter(
        "lines",
        "Lines read, by outcome: accepted, rejected, skipped (empty or header); one read again counts again.",
        ("outcome",),
    )
    parts = counter("parts", "Parts of orders that the stream has taken, repeats included.")
    read_bytes = counter("read_bytes", "Bytes of complete lines read, repeats included.", unit="bytes")
    rejected = counter("rejected", "Lines and files put into `rejected`, by reason code.", ("reason",))
    files = gauge(
        "files",
        "Files in the folder by state: reading, waiting (for a place or a retry), elsewhere (another worker), done, "
        "unfinished (done but for a last line without its newline), paused, refused (changed), unreadable, "
        "name (not an allowed one), type (no regular file).",
        ("state",),
    )
    lag_bytes = gauge(
        "lag_bytes", "Bytes in the folder's files that are not durably in the stream yet.", unit="bytes"
    )
    oldest_unread = gauge(
        "oldest_unread_s",
        "Seconds since the longest neglected file was seen to have grown; paused and refused ones do not count.",
        unit="seconds",
    )
    open_bytes = gauge("open_bytes", "Bytes handed to the producer that are not durable yet.", unit="bytes")
    put_retries = counter("put_retries", "Puts of a part that had to be tried again.", ("error",))
    file_errors = counter(
        "file_errors",
        "Trouble with a file or the folder: changed, paused, replaced, vanished, unreadable, folder.",
        ("kind",),
    )
    leases = counter("leases", "Leases by event: claimed, lost, released.", ("event",))
    store_errors = counter("store_errors", "Calls to the position table that failed.")
