"""What a worker is told about its folder, and what it remembers of every file in it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from services.kernel.tail.discovery import Signature
from services.kernel.tail.lease import LeasePolicy
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.order_file import OrderFile, Pace

PAUSED = "paused"
EXEMPT = "exempt"
REFUSED = "refused"
ALLOWED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
STATES = (
    "reading",
    "waiting",
    "elsewhere",
    "done",
    "unfinished",
    "paused",
    "refused",
    "unreadable",
    "name",
    "type",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How one worker treats its folder; see Settings for each.

    Args:
        now: the present time as contracts write it.
    """

    folder: Path
    glob: str
    source: str
    poll_interval_s: float
    changed_grace_s: float
    max_files: int
    max_line_bytes: int
    pace: Pace
    lease: LeasePolicy
    now: Callable[[], str]


@dataclass(slots=True)
class Known:
    """What this worker remembers of one file; nothing of it needs to survive the process.

    Args:
        seen: the newest look at it.
        grown_at: when that look first differed from the one before, monotonic seconds.
        state: one of STATES.
        settled: the look after which there was nothing left to do.
        retry_at: not before then, monotonic seconds.
        position: how far it is known to be durable, bytes.
        reading: its reader, while this worker has it open.
        visit: the task at work on it.
        holding: whether it takes one of the places for files that are read.
    """

    seen: Signature
    grown_at: float
    state: str = "waiting"
    settled: Signature | None = None
    retry_at: float = 0.0
    position: int = 0
    reading: OrderFile | None = None
    visit: asyncio.Task[None] | None = None
    holding: bool = False

    @property
    def lag_bytes(self) -> int:
        """What of the file is not durably in the stream yet."""
        position = self.position if self.reading is None else self.reading.position.offset
        return max(self.seen.size_bytes - position, 0)


def publish(metrics: FileMetrics, files: Iterable[Known], refused: Iterable[str], now_s: float) -> None:
    """Sets the gauges.

    Args:
        refused: why a name is not read, one entry a name.
        now_s: monotonic seconds.
    """
    files = list(files)
    states = Counter(one.state for one in files)
    states.update(refused)
    for state in STATES:
        metrics.files.labels(state=state).set(states[state])
    pending = [one for one in files if one.state not in ("refused", "done")]
    metrics.lag_bytes.set(sum(one.lag_bytes for one in pending))
    neglected = [one for one in pending if one.lag_bytes and one.state not in ("paused", "unfinished")]
    metrics.oldest_unread.set(max((now_s - one.grown_at for one in neglected), default=0.0))
