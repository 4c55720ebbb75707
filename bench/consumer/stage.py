"""Engines' clients, worker processes and the sender of one run; whatever it starts ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.consumer.handler import data_of
from bench.consumer.ledger import ENTRY, Handled, Sent, entries
from bench.consumer.participants import ROOT, Participant
from deploy.local import processes
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.provision import LEASE_KEY
from services.kernel.streams.records import Stored
from tests.engines import Engines, local_environment

LEASE_TIME_S = 10.0
RECORD_BYTES = 256
START_TIMEOUT_S = 30.0
_KEYS = 64
_BATCH = 20


@dataclass
class Worker:
    """One process of a participant."""

    name: str
    process: subprocess.Popen[bytes]
    ledger: Path
    log: Path
    peak_rss_bytes: int = 0

    def handled(self) -> list[Handled]:
        """Everything it handled so far, oldest first."""
        data = self.ledger.read_bytes() if self.ledger.exists() else b""
        return entries(data, self.name)

    def handled_count(self) -> int:
        """How many, without reading them."""
        return self.ledger.stat().st_size // ENTRY.size if self.ledger.exists() else 0

    def usage(self) -> processes.Usage:
        """CPU seconds since it began and memory now.

        Raises:
            RuntimeError: it has ended.
        """
        found = processes.usage(self.process.pid)
        if found is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself:\n{self.log_tail()}")
        self.peak_rss_bytes = max(self.peak_rss_bytes, found.rss_bytes)
        return found

    def log_tail(self) -> str:
        """What it said last."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-1500:]

    def send(self, number: int) -> float:
        """Send a signal; returns when that was."""
        at_s = time.monotonic()
        processes.send(self.process.pid, number)
        return at_s

    async def ended(self, timeout_s: float) -> float | None:
        """Wait until it has ended; returns when, or None where it does not."""
        if await until(lambda: self.process.poll() is not None, timeout_s):
            return time.monotonic()
        return None


@dataclass
class Stage:
    """One run of the bench on one pair of engines."""

    engines: Engines
    kinesis: Kinesis
    dynamodb: DynamoDB
    folder: Path
    workers: list[Worker] = field(default_factory=list)
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def stream(self, name: str, shards: int) -> None:
        """Make a stream and wait until it can be used."""
        await self.kinesis.create_stream(name, shards)
        await self.stream_is_active(name)

    async def stream_is_active(self, name: str) -> None:
        """Wait for the end of a change."""
        await _active(lambda: self.kinesis.stream_status(name))

    async def application(self, who: Participant, name: str) -> str:
        """Make the lease table that one application needs, where the consumer does not do so itself."""
        table = f"{name}-{who.module.rpartition('.')[2]}"
        if who.own_lease_table:
            await self.dynamodb.create_table(table, LEASE_KEY)
            await _active(lambda: self.dynamodb.table_status(table))
        return table

    async def worker(
        self, who: Participant, stream: str, application: str, kinesis: str = "", stall_s: float = 0.0
    ) -> Worker:
        """Start a worker and wait until it says that it is ready.

        Args:
            kinesis: URL; by default the engine's.

        Raises:
            RuntimeError: it ended, or was not ready in time.
        """
        name = f"{application}-{len(self.workers)}"
        ledger, log = self.folder / f"{name}.ledger", self.folder / f"{name}.log"
        given = {
            "kinesis": kinesis or self.engines.kinesis,
            "dynamodb": self.engines.dynamodb,
            "stream": stream,
            "application": application,
            "ledger": str(ledger),
            "stall-s": str(stall_s),
            "lease-time-s": str(LEASE_TIME_S),
        }
        command = [who.python, "-m", who.module, *(f"--{key}={value}" for key, value in given.items())]
        worker = Worker(name, self.start(command, log), ledger, log)
        self.workers.append(worker)
        ready = await until(
            lambda: b"ready\n" in log.read_bytes() or worker.process.poll() is not None, START_TIMEOUT_S
        )
        if not ready or worker.process.poll() is not None:
            raise RuntimeError(f"{name} is not ready:\n{worker.log_tail()}")
        return worker

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process that ends with the bench at the latest."""
        environment = {
            **local_environment(self.engines),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.folder),
            processes.RUN_ID_VARIABLE: self.engines.run_id,
        }
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env={"HOME": os.environ.get("HOME", "/"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=processes.die_with_parent,
            )

    def end(self) -> None:
        """Kill whatever is left."""
        for process in [*(worker.process for worker in self.workers), *self.helpers]:
            if process.poll() is None:
                process.kill()
            process.wait()


@dataclass
class Sender:
    """Puts numbered records at a steady rate and keeps the ledger that everything is compared with.

    Args:
        rate_per_s: records.
    """

    kinesis: Kinesis
    stream: str
    rate_per_s: float
    sent: list[Sent] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until `stop`; a record that was refused is sent again.

        Raises:
            Retryable: a call failed. Whether its records are in the stream is unknown: the run is void.
        """
        next_s = time.monotonic()
        while not self._stopping.is_set():
            first = len(self.sent)
            await self._put(list(range(first, first + _BATCH)))
            next_s = max(next_s + _BATCH / self.rate_per_s, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    def stop(self) -> None:
        """Send no more after the batch at hand."""
        self._stopping.set()

    async def _put(self, numbers: list[int]) -> None:
        while numbers:
            batch = [(data_of(number, RECORD_BYTES), f"key-{number % _KEYS}") for number in numbers]
            outcomes = await self.kinesis.put_records(self.stream, batch)
            now_s = time.monotonic()
            left = []
            for number, outcome in zip(numbers, outcomes, strict=True):
                if isinstance(outcome, Stored):
                    self.sent.append(Sent(number, now_s, outcome.shard_id))
                else:
                    left.append(number)
            numbers = left
            if left:
                await asyncio.sleep(0.05)


async def _active(status: Callable[[], Awaitable[str | None]]) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while await status() != "ACTIVE":  # noqa: ASYNC110 - the engine has no event to wait for
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], timeout_s: float, poll_s: float = 0.05) -> bool:
    """Wait for a condition; False where it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(poll_s)
    return True


def all_handled(workers: list[Worker]) -> list[Handled]:
    """The ledgers of several workers as one."""
    return [one for worker in workers for one in worker.handled()]


async def stop(workers: list[Worker], timeout_s: float = 15.0) -> None:
    """Ask workers to end, and make those end that do not."""
    running = [worker for worker in workers if worker.process.poll() is None]
    for worker in running:
        worker.send(signal.SIGTERM)
    for worker in running:
        if await worker.ended(timeout_s) is None:
            worker.process.kill()
