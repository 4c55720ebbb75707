"""A worker on a real folder with a stream, a dead letter sink and a position table in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import codec
from services.kernel.core.errors import Unavailable
from services.kernel.tail.lease import LeasePolicy
from services.order_file_ingest.folder import FolderWorker
from services.order_file_ingest.known_files import Limits
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.order_file import Pace
from tests.memory.positions import MemoryPositions

SOURCE = "shop"
_decode = codec.decoder("order", 1)


class MemoryStream:
    """Takes puts at once, or not at all while it is away."""

    def __init__(self) -> None:
        self.orders: list[codec.Order] = []
        self.keys: list[str] = []
        self.away = False
        self.open_now = 0
        self.max_open = 0

    async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> None:
        """As Producer.put."""
        assert wait, "reading has to wait for the stream, not to be refused by it"
        self.open_now += len(data)
        self.max_open = max(self.max_open, self.open_now)
        try:
            await asyncio.sleep(0)
            if self.away:
                raise Unavailable("away")
            self.orders.append(_decode(data))
            self.keys.append(partition_key)
        finally:
            self.open_now -= len(data)

    @property
    def lines(self) -> dict[str, tuple[Any, ...]]:
        """Every line by identity with its content; fails when one identity came with two contents."""
        found: dict[str, tuple[Any, ...]] = {}
        for one in self.orders:
            for line in one.lines:
                content = (one.order_id, one.customer_id, one.country, one.kind, line)
                assert found.setdefault(line.line_id, content) == content
        return found


@dataclass
class MemoryRejects:
    """Keeps dead letters as the arguments that they came with."""

    letters: list[dict[str, Any]] = field(default_factory=list)
    away: bool = False

    async def put(self, reason: str, message: str, data: bytes, details: Any = (), **where: Any) -> None:
        """As RejectedSink.put."""
        while self.away:
            await asyncio.sleep(0.005)
        self.letters.append({"reason": reason, "message": message, "data": data, "details": details, **where})


@dataclass
class Bench:
    """Everything that outlives a worker, and a way to run one."""

    folder: Path
    stream: MemoryStream = field(default_factory=MemoryStream)
    rejects: MemoryRejects = field(default_factory=MemoryRejects)
    positions: MemoryPositions = field(default_factory=MemoryPositions)
    metrics: FileMetrics = field(default_factory=FileMetrics)
    idle_s: float = 0.05
    hold_s: float = 0.1
    grace_s: float = 0.3
    lease_time_s: float = 1.0
    open_bytes: int = 1024 * 1024
    max_files: int = 4

    def worker(self, name: str) -> FolderWorker:
        """A new worker, as a new process would be."""
        limits = Limits(
            folder=self.folder,
            glob="*.csv",
            source=SOURCE,
            poll_interval_s=0.03,
            changed_grace_s=self.grace_s,
            max_files=self.max_files,
            max_line_bytes=4096,
            pace=Pace(idle_s=self.idle_s, hold_s=self.hold_s, drain_s=0.3, open_bytes=self.open_bytes),
            lease=LeasePolicy(name, self.lease_time_s, self.lease_time_s / 20, time.monotonic),
            now=lambda: "2011-12-10T00:00:00.000Z",
        )
        return FolderWorker(limits, self.positions, self.stream, self.rejects, self.metrics)

    @asynccontextmanager
    async def running(self, name: str = "one") -> AsyncIterator[asyncio.Task[None]]:
        """A worker for the length of a `with`, stopped in good order at its end."""
        stopping = asyncio.Event()
        task = asyncio.create_task(self.worker(name).run(stopping))
        try:
            yield task
        finally:
            stopping.set()
            if not task.cancelled():
                await asyncio.wait_for(task, 10)

    def offset(self, name: str) -> int:
        """The durable position of a file, -1 when there is none."""
        entry = self.positions.entries.get(f"{SOURCE}/{name}")
        return -1 if entry is None else entry.position.offset

    def state(self, name: str) -> str:
        """The durable state of a file."""
        return self.positions.entries[f"{SOURCE}/{name}"].state

    def metric(self, name: str, **labels: str) -> float:
        """One sample of the worker's metrics."""
        return self.metrics.registry.get_sample_value(f"cadabra_order_file_ingest_{name}", labels) or 0.0

    async def until_read(self, *names: str) -> None:
        """Waits until every byte of these files is durable."""
        await until(lambda: all(self.offset(name) == (self.folder / name).stat().st_size for name in names))


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Waits for a condition with a deadline."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def order_line(invoice: int | str, n: int = 0, minute: int = 26, description: str = "A LAMP") -> bytes:
    """One line of an order file."""
    return f"{invoice},S{n},{description},{n + 1},2010-12-01 08:{minute:02d}:00,2.55,17850,France\n".encode()


def expected_ids(folder: Path) -> set[str]:
    """The identity of every line of every file in the folder, by a reading of its own."""
    ids = set()
    for path in folder.glob("*.csv"):
        offset = 0
        for text in path.read_bytes().splitlines(keepends=True):
            if text.endswith(b"\n"):
                ids.add(f"{path.name}:{offset}")
            offset += len(text)
    return ids
