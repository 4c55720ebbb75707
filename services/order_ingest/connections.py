"""Connections that cost little, whoever is at the other end: bounded in number, head, patience.

aiohttp parses and answers; this adds what it leaves open: a deadline for a head, one for answers that nobody
reads, a bound of a head's bytes and of the number of connections, and errors in the API's own shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from services.kernel.core import logs
from services.kernel.core.http import error_response
from services.order_ingest.metrics import IngestMetrics

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 64
MAX_FIELD_BYTES = 8190
READ_BUFFER_BYTES = 64 * 1024
_LINGER_S = 2.0
_CLOSE = "Connection: close\r\nContent-Length: 0\r\n\r\n"
_TIMEOUT = f"HTTP/1.1 408 Request Timeout\r\n{_CLOSE}".encode()
_HEAD_TOO_LARGE = f"HTTP/1.1 431 Request Header Fields Too Large\r\n{_CLOSE}".encode()
_TOO_MANY = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n{_CLOSE}".encode()

log = logs.get("connections")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long, and for how many; seconds."""

    head_timeout_s: float
    idle_timeout_s: float
    write_timeout_s: float
    max_connections: int


class Connection(RequestHandler):
    """One client's connection; `over` is called by the sweep and by nobody else."""

    def __init__(self, server: ConnectionServer, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._server = server
        self._head_bytes = 0
        self._head_since_s: float | None = loop.time()
        self._unread_since_s: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many."""
        super().connection_made(transport)
        server = self._server
        server.open.add(self)
        if len(server.open) > server.patience.max_connections:
            self.cut("limit", _TOO_MANY)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._server.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and notice a head that does not end."""
        super().data_received(data)
        if not self.awaits_head:
            self._head_since_s = None
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_since_s is None:
            self._head_since_s = self._loop.time()
        if self._head_bytes > MAX_HEAD_BYTES:
            self.cut("head_size", _HEAD_TOO_LARGE)

    def pause_writing(self) -> None:
        """The client does not read its answers."""
        super().pause_writing()
        self._unread_since_s = self._loop.time()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._unread_since_s = None

    @property
    def awaits_head(self) -> bool:
        """Whether no request is being handled and none is complete."""
        return self._waiter is not None and not self._waiter.done()

    def over(self, now_s: float) -> tuple[str, bytes] | None:
        """Say why the patience with this client is over, and what to tell it; None if it is not."""
        patience = self._server.patience
        if self._unread_since_s is not None and now_s - self._unread_since_s > patience.write_timeout_s:
            return "write", b""
        since = self._head_since_s
        if since is not None and now_s - since > patience.head_timeout_s and not self._request_in_progress:
            return "head", _TIMEOUT if self._head_bytes else b""
        return None

    def cut(self, why: str, last_words: bytes) -> None:
        """Close at once."""
        self._server.metrics.closed.labels(why=why).inc()
        transport = self.transport
        if transport is not None:
            if last_words:
                transport.write(last_words)
            self.force_close()
            if not last_words:
                transport.abort()  # unread answers would keep a closing transport open

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's own text, which may quote the request
    ) -> web.StreamResponse:
        """Answer what is no HTTP, in our own shape and without a line in the log for each."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status >= web.HTTPInternalServerError.status_code:
            log.error("bug", error=exc)
            answer = error_response(500, "internal", "a fault of ours; it has been recorded")
        elif isinstance(exc, LineTooLong):
            answer = error_response(431, "head_too_large", "the request's head is too large")
        else:
            answer = error_response(400, "malformed_http", "this is no HTTP request")
        self._server.metrics.requests.labels(path="other", status=str(answer.status)).inc()
        answer.headers["Server"] = "cadabra"
        answer.force_close()
        return answer


class ConnectionServer(web.Server):
    """Makes connections, sweeps those whose time is over, and closes all at the end."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        patience: Patience,
        metrics: IngestMetrics,
    ) -> None:
        super().__init__(
            handler,
            access_log=None,
            keepalive_timeout=patience.idle_timeout_s,
            max_line_size=MAX_FIELD_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_HEADERS,
            read_bufsize=READ_BUFFER_BYTES,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        self.patience = patience
        self.metrics = metrics
        self.open: set[Connection] = set()
        metrics.connections.set_function(lambda: len(self.open))
        metrics.connections_limit.set(patience.max_connections)
        self._options = self._kwargs

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._options)

    async def sweep(self) -> None:
        """Cut off who is too slow, for ever; four times within the shortest patience."""
        shortest = min(self.patience.head_timeout_s, self.patience.write_timeout_s)
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            now_s = self._loop.time()
            for connection in list(self.open):
                if (verdict := connection.over(now_s)) is not None:
                    connection.cut(*verdict)

    async def drain(self, timeout_s: float) -> None:
        """Close what rests, and wait until every other connection has its answer.

        `timeout_s` bounds the wait; what is open then is closed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.open:
                    for connection in list(self.open):
                        if connection.awaits_head:
                            connection.force_close()
                    await asyncio.sleep(0.01)
        await self.shutdown(0.1)
