"""A batch: orders stream in, one answer line an order streams out, in the order of arrival.

Two loops share a window. One reads lines and starts to store them; the other writes the answers of those that
are done, oldest first. The window bounds what is open, so a client that does not read its answers is not read.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from services.kernel.core import logs
from services.kernel.core.tokens import LEEWAY_S, Principal
from services.order_ingest.body import MAX_BODY_BYTES, OverlongLine, Pace, TooSlow, read_lines
from services.order_ingest.intake import Intake, Records, records_of
from services.order_ingest.limits import SenderLimits
from services.order_ingest.metrics import IngestMetrics
from services.order_ingest.refusal import Refusal

WINDOW_BYTES = 1024 * 1024
RESERVED_BYTES = 4 * 1024 * 1024
"""What one batch may hold: the window, and one order more, whose records may be 2.7 times its line."""

log = logs.get("batch")


class Batch:
    """One batch; `run` it once.

    Args:
        content: what the client sends.
        response: prepared; the answers go there.
        window_orders: orders that may be unanswered.
    """

    def __init__(
        self,
        content: StreamReader,
        response: web.StreamResponse,
        principal: Principal,
        *,
        trace: str,
        intake: Intake,
        senders: SenderLimits,
        pace: Pace,
        window_orders: int,
        metrics: IngestMetrics,
    ) -> None:
        self._content = content
        self._response = response
        self._principal = principal
        self._trace = trace
        self._intake = intake
        self._senders = senders
        self._pace = pace
        self._window_orders = window_orders
        self._metrics = metrics
        self._stored = metrics.orders.labels(way="batch", status="202")
        self._open: deque[tuple[asyncio.Future[bytes] | bytes, int]] = deque()
        self._open_bytes = 0
        self._moved = asyncio.Event()
        self._finished = False
        self._stopped = False
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Read to the end and answer every order that was read; returns early when the client has gone."""
        try:
            async with asyncio.TaskGroup() as loops:
                self._reading = loops.create_task(self._read())
                self._reading.add_done_callback(self._finish)
                loops.create_task(self._answer())
        except* (ConnectionError, RequestPayloadError):
            self._response.force_close()  # the client has gone, or no longer speaks HTTP
        finally:
            for answer, _ in self._open:
                if isinstance(answer, asyncio.Future):
                    answer.cancel()

    def stop(self) -> None:
        """Read no further order; what was read is answered, and a last line says that there may be more."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        last: Refusal | None = None
        try:
            async for lines in read_lines(self._content, self._pace):
                for line in lines:
                    await self._take(line)
                if self._principal.expires_at + LEEWAY_S <= time.time():
                    last = Refusal(401, "expired_token", "the token expired; send the rest with a new one")
                    break
        except TooSlow:
            self._metrics.closed.labels(why="body").inc()
            last = Refusal(408, "too_slow", "the orders came too slowly; send the rest again")
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            last = Refusal(503, "draining", "this process ends; send again what has no answer")
        if last is not None:
            self._response.force_close()
            self._open.append((last.line(), 0))

    def _finish(self, _: asyncio.Task[None]) -> None:
        self._finished = True
        self._moved.set()

    async def _take(self, line: bytes | OverlongLine) -> None:
        try:
            if isinstance(line, OverlongLine):
                raise Refusal(413, "too_large", f"an order has at most {MAX_BODY_BYTES} bytes")
            await self._keep_pace(len(line))
            records = records_of(line, self._principal.subject, self._trace)
        except Refusal as refusal:
            await self._room_for(0)
            self._open.append((self._refused(refusal), 0))
        else:
            size_bytes = records.size_bytes
            await self._room_for(size_bytes)
            self._open_bytes += size_bytes
            self._open.append((asyncio.ensure_future(self._store(records)), size_bytes))
        self._moved.set()

    async def _keep_pace(self, size_bytes: int) -> None:
        """Slow a sender that is too fast by not reading on."""
        self._metrics.body_bytes.inc(size_bytes)
        sender = self._principal.subject
        while (exceeded := self._senders.exceeded(sender)) is not None:
            self._metrics.rate_limited.labels(what=exceeded.what).inc()
            await asyncio.sleep(exceeded.wait_s)
        self._senders.charge(sender, 1, size_bytes)

    async def _room_for(self, size_bytes: int) -> None:
        while self._open and (
            len(self._open) >= self._window_orders or self._open_bytes + size_bytes > WINDOW_BYTES
        ):
            self._moved.clear()
            await self._moved.wait()

    async def _store(self, records: Records) -> bytes:
        try:
            await self._intake.store(records, wait=True)
        except Refusal as refusal:
            return self._refused(refusal)
        except Exception as error:  # noqa: BLE001 - a bug must not show itself to a client, nor end its batch
            log.error("bug", error=error)
            message = "a fault of ours; it has been recorded"
            return self._refused(Refusal(500, "internal", message, order_id=records.order_id))
        self._stored.inc()
        return b'{"order_id":"%b","status":202}\n' % records.order_id.encode()

    def _refused(self, refusal: Refusal) -> bytes:
        self._metrics.rejected.labels(code=refusal.code).inc()
        self._metrics.orders.labels(way="batch", status=str(refusal.status)).inc()
        return refusal.line()

    async def _answer(self) -> None:
        while self._open or not self._finished:
            if not self._open:
                self._moved.clear()
                await self._moved.wait()
                continue
            oldest = self._open[0][0]
            if isinstance(oldest, asyncio.Future) and not oldest.done():
                await asyncio.wait([oldest])
            await self._response.write(b"".join(self._done()))
            self._moved.set()
        await self._response.write_eof()

    def _done(self) -> list[bytes]:
        """Take the answers out of the window that are there, oldest first, up to the first that is not."""
        answers: list[bytes] = []
        while self._open:
            answer, size_bytes = self._open[0]
            if isinstance(answer, asyncio.Future):
                if not answer.done():
                    break
                answer = answer.result()
            self._open.popleft()
            self._open_bytes -= size_bytes
            answers.append(answer)
        return answers
