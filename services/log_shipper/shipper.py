"""Files to the stream: lines are read, made records of, put, and the position passes them once they are durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from contracts.access_log import ErrorType
from services.kernel.core import logs
from services.kernel.core.errors import Retryable
from services.kernel.core.retry import Retry
from services.kernel.tail.followed_file import Chunk
from services.kernel.tail.followed_files import FollowedFiles
from services.log_shipper.envelope import FileContext
from services.log_shipper.metrics import ShipperMetrics, TailGauges
from services.log_shipper.packing import packed

MAX_OPEN_CHUNKS = 256
_READ_BYTES = 256 * 1024
_LOOK_SHARE = 10  # looks take at most a tenth of the time

log = logs.get("shipper")
T = TypeVar("T")


class Encoder(Protocol):
    """Makes records of lines."""

    def encode_block(
        self, lines: Sequence[tuple[int, bytes, bool]], context: FileContext, created: str
    ) -> tuple[list[bytes], Counter[ErrorType]]:
        """One record a line, in order, and how many lines were not read in full, by reason."""
        ...


class Sender(Protocol):
    """The producer's side of the stream."""

    async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> object:
        """Returns once the stream has the record; raises Retryable when that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of the shipping.

    Args:
        poll_interval_s: seconds between looks.
        open_bytes: bytes of records on their way, past which reading waits.
        drain_s: how long a stop waits for what is on its way.
    """

    poll_interval_s: float
    open_bytes: int
    drain_s: float


class Shipper:
    """Ships what the files have until it is asked to stop.

    Args:
        files: loaded, and used by nobody else.
        clock: monotonic seconds.
        now: the present time as contracts write it.
    """

    def __init__(
        self,
        files: FollowedFiles,
        encoder: Encoder,
        sender: Sender,
        metrics: ShipperMetrics,
        pace: Pace,
        *,
        clock: Callable[[], float],
        now: Callable[[], str],
    ) -> None:
        self._files = files
        self._encoder = encoder
        self._sender = sender
        self._metrics = metrics
        self._gauges = TailGauges(metrics)
        self._pace = pace
        self._clock = clock
        self._now = now
        self._retry = Retry(cap_s=5.0)
        self._look_at = clock()
        self._open_bytes = 0
        self._open: dict[asyncio.Task[None], Chunk] = {}
        self._done: list[Chunk] = []
        self._failure: BaseException | None = None
        self._busy: asyncio.Future[Any] | None = None
        self._progress = asyncio.Event()
        metrics.open_bytes_limit.set(pace.open_bytes)

    async def run(self, stopping: asyncio.Event) -> None:
        """Reads and ships until `stopping`; then waits for what is on its way and stores the positions.

        What is not durable `drain_s` after the stop is read again after the next start.

        Raises:
            Exception: a put can never succeed, or a bug; the positions are stored as far as they are true.
        """
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stopping.is_set():
                await self._step(stop)
            await self._drain()
        finally:
            stop.cancel()
            await self._end()
        self._raise_failure()

    async def _step(self, stop: asyncio.Future[Any]) -> None:
        self._raise_failure()
        self._settle()
        if self._clock() >= self._look_at:
            await self._look()
        if self._is_full():
            await self._rest(stop)
            return
        chunks = await self._in_thread(partial(self._files.read, _READ_BYTES))
        for chunk in chunks:
            self._ship(chunk)
            await asyncio.sleep(0)  # lets the puts of the last one begin
        if not chunks:
            await self._rest(stop)

    async def _look(self) -> None:
        began = self._clock()
        await self._in_thread(self._files.look)
        took_s = self._clock() - began
        self._metrics.look_s.set(took_s)
        self._look_at = self._clock() + max(self._pace.poll_interval_s, _LOOK_SHARE * took_s)
        self._gauges.show(self._files)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        self._busy = task = asyncio.ensure_future(asyncio.to_thread(work))
        return await asyncio.shield(task)

    def _is_full(self) -> bool:
        return self._open_bytes >= self._pace.open_bytes or len(self._open) >= MAX_OPEN_CHUNKS

    async def _rest(self, stop: asyncio.Future[Any]) -> None:
        """Waits for the next look, for something to become durable while too much is open, or for the stop."""
        self._progress.clear()
        progress = asyncio.ensure_future(self._progress.wait())
        waits = (stop, progress) if self._is_full() else (stop,)
        try:
            timeout_s = max(0.0, self._look_at - self._clock())
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            progress.cancel()

    def _ship(self, chunk: Chunk) -> None:
        generation = chunk.generation
        context = FileContext(generation.id, generation.path, generation.first_seen_ms)
        lines = [(line.offset, line.text, line.too_long) for line in chunk.lines]
        records, reasons = self._encoder.encode_block(lines, context, self._now())
        for reason, count in reasons.items():
            self._metrics.lines_unparsed.labels(reason=reason).inc(count)
        self._metrics.lines_read.inc(len(lines))
        self._metrics.read_bytes.inc(chunk.size_bytes)
        aggregates = list(packed(generation.id, [line.offset for line in chunk.lines], records))
        size = sum(len(data) for _, data, _ in aggregates)
        self._open_bytes += size
        self._metrics.open_bytes.set(self._open_bytes)
        task = asyncio.ensure_future(self._put_all(aggregates))
        self._open[task] = chunk
        task.add_done_callback(partial(self._put, size))

    async def _put_all(self, aggregates: Sequence[tuple[str, bytes, int]]) -> None:
        for key, data, records in aggregates:
            await self._retry.call(partial(self._sender.put, key, data, wait=True), self._put_again)
            self._metrics.lines_shipped.inc(records)
            self._metrics.shipped_bytes.inc(len(data))

    def _put_again(self, error: Retryable, attempt: int, delay_s: float) -> None:
        self._metrics.put_retries.labels(error=type(error).__name__).inc()
        if attempt == 0:
            log.warning("put_again", error, delay_s=delay_s)

    def _put(self, size_bytes: int, task: asyncio.Task[None]) -> None:
        chunk = self._open.pop(task)
        self._open_bytes -= size_bytes
        self._metrics.open_bytes.set(self._open_bytes)
        self._progress.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._done.append(chunk)
        elif self._failure is None:
            self._failure = error

    def _settle(self) -> None:
        """Tells the files what is durable; here, where no look or read is under way."""
        done, self._done = self._done, []
        for chunk in done:
            self._files.shipped(chunk)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _drain(self) -> None:
        if self._open:
            _, late = await asyncio.wait(tuple(self._open), timeout=self._pace.drain_s)
            if late:
                log.warning("not_all_shipped", chunks=len(late), effect="read again after the next start")

    async def _end(self) -> None:
        tasks = tuple(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._busy is not None:
            await asyncio.wait((self._busy,))  # of a cancelled look: two threads must never have the files
        self._settle()
        await asyncio.to_thread(self._files.close)
        self._gauges.show(self._files)
