"""The API: who may, how much, and which answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from services.kernel.core import logs, trace
from services.kernel.core.errors import CadabraError
from services.kernel.core.http import RETRY_AFTER_S, error_response, response_of
from services.kernel.core.tokens import Denied, Principal, Verifier
from services.order_ingest import body, openapi
from services.order_ingest.batch import RESERVED_BYTES, Batch
from services.order_ingest.body import MAX_BODY_BYTES, Pace, TooLarge, TooSlow
from services.order_ingest.intake import Intake, records_of
from services.order_ingest.limits import MemoryBudget, RateExceeded, Reservation, SenderLimits
from services.order_ingest.metrics import IngestMetrics
from services.order_ingest.refusal import Refusal

ROLES = frozenset({"sender"})
_JSON = {"Content-Type": "application/json"}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
Route = Callable[[web.BaseRequest, trace.Trace], Awaitable[web.StreamResponse]]

log = logs.get("api")


class OrderApi:
    """Answers every request; `handle` is what a server calls.

    Args:
        window_orders: orders of one batch that may be unanswered.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        intake: Intake,
        budget: MemoryBudget,
        senders: SenderLimits,
        pace: Pace,
        window_orders: int,
        metrics: IngestMetrics,
    ) -> None:
        self._verifier = verifier
        self._intake = intake
        self._budget = budget
        self._senders = senders
        self._pace = pace
        self._window_orders = window_orders
        self._metrics = metrics
        self._stored = metrics.orders.labels(way="single", status="202")
        self._taken = metrics.requests.labels(path="/v1/orders", status="202")
        self._batches: set[Batch] = set()
        self._draining = False
        self._routes: dict[str, tuple[str, Route]] = {
            "/v1/orders": ("POST", self._post_order),
            "/v1/orders:batch": ("POST", self._post_batch),
            "/openapi.json": ("GET", self._get_openapi),
        }
        metrics.in_flight_bytes.set_function(lambda: budget.used_bytes)
        metrics.in_flight_limit_bytes.set(budget.limit_bytes)

    def drain(self) -> None:
        """From now on close connections with their answer, and end batches after the orders that were read."""
        self._draining = True
        for batch in self._batches:
            batch.stop()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is and whatever goes wrong."""
        context = trace.parse(request.headers.get("traceparent")) or trace.new()
        trace.current.set(context)
        path = request.rel_url.raw_path
        try:
            response = await self._route(request, path, context)
        except Refusal as refusal:
            self._metrics.rejected.labels(code=refusal.code).inc()
            if path == "/v1/orders":
                self._metrics.orders.labels(way="single", status=str(refusal.status)).inc()
            response = refusal.response()
        except CadabraError as error:
            response = self._named(error)
        except (ConnectionError, asyncio.CancelledError):
            raise  # the client has gone: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - a bug must not show itself to a client
            log.error("bug", error=error)
            response = error_response(500, "internal", "a fault of ours; it has been recorded")
        if not response.prepared:
            headers = response.headers
            headers["traceparent"] = str(context)
            headers["Server"] = "cadabra"
            if self._draining:
                response.force_close()
        self._count(path, response.status)
        return response

    async def _route(self, request: web.BaseRequest, path: str, context: trace.Trace) -> web.StreamResponse:
        route = self._routes.get(path)
        if route is None:
            return error_response(404, "not_found", "there is nothing here")
        method, answer = route
        if request.method != method:
            return error_response(
                405, "method_not_allowed", f"only {method} works here", headers={"Allow": method}
            )
        return await answer(request, context)

    def _named(self, error: CadabraError) -> web.Response:
        if isinstance(error, Denied):
            self._metrics.rejected.labels(code=error.code).inc()
        else:
            log.error("failed", error=error)
        return response_of(error)

    def _count(self, path: str, status: int) -> None:
        if status == web.HTTPAccepted.status_code:
            self._taken.inc()
        else:
            known = path if path in self._routes else "other"
            self._metrics.requests.labels(path=known, status=str(status)).inc()

    async def _post_order(self, request: web.BaseRequest, context: trace.Trace) -> web.StreamResponse:
        started_s = time.monotonic()
        sender = self._sender(request, "application/json").subject
        length = request.content_length
        if length is not None and length > MAX_BODY_BYTES:
            raise _too_large()
        self._admit(sender)
        with Reservation(self._budget) as held:
            if not held.resize(MAX_BODY_BYTES if length is None else length):
                raise _out_of_memory()
            _let_it_come(request)
            content = await self._read(request)
            self._senders.charge(sender, 1, len(content))
            records = records_of(content, sender, str(context))
            del content  # from here on the records are all that is held
            if not held.resize(records.size_bytes):
                raise _out_of_memory()
            await self._intake.store(records)
        self._stored.inc()
        self._metrics.latency.observe(time.monotonic() - started_s)
        answer = f'{{"order_id":"{records.order_id}","lines":{records.lines},"records":{len(records.data)}}}'
        return web.Response(body=answer.encode(), status=202, headers=_JSON)

    async def _post_batch(self, request: web.BaseRequest, context: trace.Trace) -> web.StreamResponse:
        principal = self._sender(request, "application/x-ndjson")
        self._admit(principal.subject)
        with Reservation(self._budget) as held:
            if self._draining or not held.resize(RESERVED_BYTES):
                raise _out_of_memory()
            response = web.StreamResponse(
                headers={
                    "Content-Type": "application/x-ndjson",
                    "traceparent": str(context),
                    "Server": "cadabra",
                }
            )
            _let_it_come(request)
            await response.prepare(request)
            batch = Batch(
                request.content,
                response,
                principal,
                trace=str(context),
                intake=self._intake,
                senders=self._senders,
                pace=self._pace,
                window_orders=self._window_orders,
                metrics=self._metrics,
            )
            self._batches.add(batch)
            try:
                await batch.run()
            finally:
                self._batches.discard(batch)
        return response

    async def _get_openapi(self, request: web.BaseRequest, context: trace.Trace) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(body=openapi.DOCUMENT_BYTES, content_type="application/json")

    def _sender(self, request: web.BaseRequest, content_type: str) -> Principal:
        headers = request.headers
        principal = self._verifier.verify(headers.get("Authorization"), roles=ROLES)
        given = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if given != content_type:
            raise Refusal(415, "unsupported_media_type", f"send Content-Type: {content_type}")
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refusal(415, "unsupported_encoding", "send the body without Content-Encoding")
        return principal

    def _admit(self, sender: str) -> None:
        exceeded = self._senders.exceeded(sender)
        if exceeded is not None:
            raise _too_fast(exceeded, self._metrics)

    async def _read(self, request: web.BaseRequest) -> bytes:
        try:
            content = await body.read_body(request.content, self._pace)
        except TooLarge:
            raise _too_large() from None
        except TooSlow:
            self._metrics.closed.labels(why="body").inc()
            raise Refusal(408, "too_slow", "the body came too slowly", close=True) from None
        except RequestPayloadError:
            raise Refusal(400, "malformed_http", "the body breaks HTTP's framing", close=True) from None
        self._metrics.body_bytes.inc(len(content))
        return content


def _let_it_come(request: web.BaseRequest) -> None:
    """Tell a client that asked first to send its body: everything that can refuse it unread has passed."""
    transport = request.transport
    if transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
        transport.write(_CONTINUE)


def _too_large() -> Refusal:
    return Refusal(413, "too_large", f"an order has at most {MAX_BODY_BYTES} bytes")


def _out_of_memory() -> Refusal:
    return Refusal(503, "busy", "too much is under way; nothing was taken", retry_after_s=RETRY_AFTER_S)


def _too_fast(exceeded: RateExceeded, metrics: IngestMetrics) -> Refusal:
    metrics.rate_limited.labels(what=exceeded.what).inc()
    message = f"more {exceeded.what} a second than a sender may send; nothing was taken"
    return Refusal(429, "rate_limited", message, retry_after_s=exceeded.wait_s)
