"""One order file from its position on: lines, parts, stream, and the position behind them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Protocol

from contracts import codec, order
from services.kernel.core import logs, trace
from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.reject_rate import RejectRate
from services.kernel.tail.files import FileReplaced, FileTail, FileVanished
from services.kernel.tail.lines import Line
from services.kernel.tail.open_work import OpenWork
from services.kernel.tail.prefix import Mark
from services.order_file_ingest.csv_lines import CURRENCY, parse
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.parts import Group, Grouper

log = logs.get("order_file")
_LOOK_S = 0.1
_MAX_OPEN_PIECES = 2_000


class Sender(Protocol):
    """The producer's side of the stream `orders`."""

    async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> object:
        """Returns once the stream has the record; raises Retryable when that is not known."""
        ...


class Rejects(Protocol):
    """The stream `rejected`."""

    async def put(
        self,
        reason: str,
        message: str,
        data: bytes,
        details: Any = (),
        *,
        file: str | None = None,
        offset: int | None = None,
        source: str | None = None,
    ) -> object:
        """Returns once the dead letter is durable, however long that takes."""
        ...


class Outcome(Enum):
    """Why the reading of a file ended, its work drained."""

    DONE = "done"
    STOPPED = "stopped"
    PAUSED = "paused"
    REPLACED = "replaced"
    VANISHED = "vanished"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of the reading of one file.

    Args:
        idle_s: after so long without growth the last part is sent.
        hold_s: after so long without growth reading ends.
        drain_s: how long a stop waits for what was sent.
        open_bytes: bytes not durable yet, past which reading waits.
        pausing: whether too many bad lines pause the file.
    """

    idle_s: float
    hold_s: float
    drain_s: float
    open_bytes: int
    pausing: bool = True


class OrderFile:
    """Reads one opened file until there is a reason to end; `position` only passes what is durable.

    Args:
        name: the file's name, first half of its lines' identity.
        source: who sends the file.
        crowded: says whether other files wait for a place.
        clock: monotonic seconds.
        now: the present time as contracts write it.
    """

    def __init__(
        self,
        name: str,
        source: str,
        *,
        tail: FileTail,
        start: Mark,
        sender: Sender,
        rejects: Rejects,
        metrics: FileMetrics,
        pace: Pace,
        crowded: Callable[[], bool],
        clock: Callable[[], float],
        now: Callable[[], str],
    ) -> None:
        self._name = name
        self._source = source
        self._tail = tail
        self._sender = sender
        self._rejects = rejects
        self._metrics = metrics
        self._pace = pace
        self._crowded = crowded
        self._clock = clock
        self._now = now
        self._work = OpenWork(start)
        self._grouper = Grouper()
        self._pending: deque[Line] = deque()
        self._accepted = metrics.lines.labels(outcome="accepted")
        self._skipped = metrics.lines.labels(outcome="skipped")
        self._rate = RejectRate()
        self._retry = Retry(cap_s=5.0)
        self._trace = str(trace.new())
        self._open_bytes = 0
        self._progress = asyncio.Event()
        self._sends: set[asyncio.Task[object]] = set()
        self._failure: BaseException | None = None

    @property
    def position(self) -> Mark:
        """Everything before it is durable in the stream, or in `rejected`."""
        return self._work.position

    async def run(self, stopping: asyncio.Event) -> Outcome:
        """Reads until the file is done, paused, replaced or gone, or until `stopping`; then waits for what is open.

        A stop waits `drain_s` at most: what is not durable by then is read again by the next owner.
        """
        try:
            outcome = await self._read(stopping)
            return outcome if await self._drain(stopping) else Outcome.STOPPED
        finally:
            for send in self._sends:
                send.cancel()
            await asyncio.gather(*self._sends, return_exceptions=True)

    async def _read(self, stopping: asyncio.Event) -> Outcome:
        grown_at = self._clock()
        while not stopping.is_set():
            self._raise_failure()
            if self._is_full():
                await self._look_again()
                continue
            if self._pending:
                if self._take():
                    return Outcome.PAUSED
                continue
            before = self._tail.read_offset
            try:
                self._pending.extend(await self._tail.next_lines())
            except FileReplaced as error:
                log.warning("file_replaced", file=self._name, reason=str(error), offset=before)
                return Outcome.REPLACED
            except FileVanished:
                log.warning("file_vanished", file=self._name, offset=before, unread="unknown")
                return Outcome.VANISHED
            except OSError as error:
                log.error("file_unreadable", error, file=self._name, offset=before)
                return Outcome.UNREADABLE
            if not self._pending:
                self._work.reach(self._tail.mark_line_start())
            if self._tail.read_offset > before:
                grown_at = self._clock()
            elif self._rests(self._clock() - grown_at):
                return Outcome.DONE
            else:
                await self._look_again()
        return Outcome.STOPPED

    def _rests(self, quiet_s: float) -> bool:
        """At the end of the file: ends the open part when it is time, and says whether all is done."""
        if self._grouper.is_open and quiet_s >= self._pace.idle_s:
            self._send(self._grouper.close())
        if self._grouper.is_open or self._sends:
            return False
        return quiet_s >= self._pace.hold_s or (quiet_s >= self._pace.idle_s and self._crowded())

    def _is_full(self) -> bool:
        return self._open_bytes >= self._pace.open_bytes or len(self._work) >= _MAX_OPEN_PIECES

    async def _look_again(self) -> None:
        self._progress.clear()
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._progress.wait()
        except TimeoutError:
            return

    async def _drain(self, stopping: asyncio.Event) -> bool:
        """Waits for what was sent; False when a stop cut it short."""
        deadline: float | None = None
        while self._sends:
            self._raise_failure()
            if stopping.is_set():
                deadline = deadline or self._clock() + self._pace.drain_s
                if self._clock() >= deadline:
                    log.warning("drain_cut_short", file=self._name, open=len(self._work))
                    return False
            await self._look_again()
        self._raise_failure()
        return True

    def _take(self) -> bool:
        """Works through lines that were read, until they or the room end; True when reading has to pause."""
        while self._pending and not self._is_full():
            line = self._pending.popleft()
            self._metrics.read_bytes.inc(line.end - line.offset)
            self._take_line(line)
            if self._rate.too_high and self._pace.pausing:
                self._send(self._grouper.close())
                self._work.reach(self._tail.mark(line.end))
                return True
        if not self._pending:
            self._work.reach(self._tail.mark_line_start())
        return False

    def _take_line(self, line: Line) -> None:
        try:
            row = parse(line, self._name)
        except InvalidRecord as fault:
            self._reject(line, fault)
            return
        if row is None:
            self._skipped.inc()
            return
        self._rate.add(False)
        self._accepted.inc()
        ended, begins = self._grouper.add(row, line)
        self._send(ended)
        if begins:
            self._work.begin(self._tail.mark(line.offset))

    def _send(self, group: Group | None) -> None:
        if group is None:
            return
        row = group.first
        parts = order.parts(
            order_id=row.order_id,
            source=self._source,
            customer_id=row.customer_id,
            country=row.country,
            currency=CURRENCY,
            kind=row.kind,
            lines=group.lines,
            ingested_at=self._now(),
            trace=self._trace,
        )
        key = order.partition_key(self._source, row.order_id)
        records = [codec.encode(part) for part in parts]
        self._start(group.start, sum(map(len, records)), self._put_all(key, records))

    async def _put_all(self, key: str, records: list[bytes]) -> None:
        """Puts the parts of one group one after the other, each until the stream has it."""
        for record in records:
            await self._retry.call(partial(self._sender.put, key, record, wait=True), self._count_retry)
            self._metrics.parts.inc()

    def _reject(self, line: Line, fault: InvalidRecord) -> None:
        self._rate.add(True)
        self._metrics.lines.labels(outcome="rejected").inc()
        self._metrics.rejected.labels(reason=fault.reason).inc()
        self._work.begin(self._tail.mark(line.offset))
        put = self._rejects.put(
            fault.reason,
            fault.message,
            line.text,
            fault.details,
            file=self._name,
            offset=line.offset,
            source=self._source,
        )
        self._start(line.offset, len(line.text), put)

    def _start(self, offset: int, size_bytes: int, work: Coroutine[Any, Any, object]) -> None:
        self._open_bytes += size_bytes
        self._metrics.open_bytes.inc(size_bytes)
        send = asyncio.create_task(work)
        self._sends.add(send)
        send.add_done_callback(partial(self._sent, offset, size_bytes))

    def _sent(self, offset: int, size_bytes: int, send: asyncio.Task[Any]) -> None:
        self._sends.discard(send)
        self._open_bytes -= size_bytes
        self._metrics.open_bytes.dec(size_bytes)
        if send.cancelled():
            return
        if (error := send.exception()) is None:
            self._work.end(offset)
        else:
            self._failure = error
        self._progress.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _count_retry(self, error: Retryable, _attempt: int, _delay_s: float) -> None:
        self._metrics.put_retries.labels(error=type(error).__name__).inc()
