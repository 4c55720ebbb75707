"""A service's HTTP API: requests measured, bounded in number and time; answers JSON that nobody may store or sniff."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.kernel.core.errors import Detail, Misconfigured, Throttled, TimedOut
from services.kernel.core.http import Handler, error_response, errors_middleware
from services.kernel.core.http_parameters import InvalidParameter
from services.kernel.core.metrics import Metrics, counter, gauge, histogram

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_SHUTDOWN_OVER_REQUEST_S = 1.0

AnswerOf = Callable[[Exception], web.Response | None]


class RequestMetrics(Metrics):
    """What was asked, how it was answered and how long it took; an API's metrics inherit from it."""

    requests = counter("requests", "Requests answered.", ("route", "status"), unit="requests")
    request_s = histogram(
        "request_seconds", "From the request's head to its whole answer.", ("route",), unit="seconds"
    )
    open_requests = gauge("open_requests", "Requests at work.", unit="requests")


class ApiSettings(Protocol):
    """What an API needs of its service's settings."""

    @property
    def host(self) -> str:
        """Address to listen on."""
        ...

    @property
    def port(self) -> int:
        """Port to serve on, 0 for a free one."""
        ...

    @property
    def max_requests(self) -> int:
        """Requests at work at once; a further one is answered 503 at once."""
        ...

    @property
    def request_timeout_s(self) -> float:
        """Seconds after which a request is answered 503."""
        ...


def application(
    routes: Iterable[web.AbstractRouteDef],
    openapi: bytes,
    metrics: RequestMetrics,
    settings: ApiSettings,
    *,
    max_body_bytes: int = 1024,
    answer_of: AnswerOf = lambda _: None,
) -> web.Application:
    """Build the aiohttp application of an API.

    Args:
        routes: everything but `/openapi.json`, which is served without a token.
        openapi: the specification, as JSON.
        max_body_bytes: of a request; a larger one is answered 413.
        answer_of: the answer to an error that only this service knows, None for any other.
    """
    gate = _Gate(metrics, settings.max_requests, settings.request_timeout_s, answer_of)
    app = web.Application(
        middlewares=[_middleware(gate.measured), errors_middleware, _middleware(gate.limited)],
        client_max_size=max_body_bytes,
    )

    async def serve_openapi(_request: web.Request) -> web.Response:
        return json_response(openapi)

    app.router.add_routes(routes)
    app.router.add_get("/openapi.json", serve_openapi)
    app.on_response_prepare.append(_add_headers)
    return app


def json_response(document: bytes | dict[str, Any], status: int = 200) -> web.Response:
    """Answer with a JSON document, encoded or to be encoded."""
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, content_type="application/json")


@asynccontextmanager
async def listening(
    app: web.Application, settings: ApiSettings, *, max_line_bytes: int = 8190
) -> AsyncIterator[int]:
    """Serve while inside; on leaving, requests at work may end within their time and a second.

    Args:
        max_line_bytes: of a request's first line; aiohttp answers a longer one with 400, not in our words.

    Returns:
        The port.

    Raises:
        Misconfigured: the address cannot be listened on.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        max_line_size=max_line_bytes,
        shutdown_timeout=settings.request_timeout_s + _SHUTDOWN_OVER_REQUEST_S,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise Misconfigured(f"cannot listen on {settings.host}:{settings.port}: {error}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


class _Gate:
    """What every request passes: counted on the way, refused where too many are at work, cut off in time."""

    def __init__(
        self, metrics: RequestMetrics, max_requests: int, request_timeout_s: float, answer_of: AnswerOf
    ) -> None:
        self._metrics = metrics
        self._max_requests = max_requests
        self._request_timeout_s = request_timeout_s
        self._answer_of = answer_of
        self._open = 0

    async def measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        status = "gone"
        self._metrics.open_requests.inc()
        try:
            answer = await handler(request)
            status = str(answer.status)
            return answer
        finally:
            self._metrics.open_requests.dec()
            self._metrics.requests.labels(route=route, status=status).inc()
            self._metrics.request_s.labels(route=route).observe(time.perf_counter() - started)

    async def limited(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._open >= self._max_requests:
            raise Throttled("too many requests at work")
        self._open += 1
        try:
            async with asyncio.timeout(self._request_timeout_s):
                return await handler(request)
        except TimeoutError as error:
            raise TimedOut("request") from error
        except Exception as error:
            answer = self._answer_of(error)
            if answer is not None:
                return answer
            if isinstance(error, InvalidParameter):
                details = [Detail(f"/{error.name}", error.reason)]
                return error_response(400, "invalid_parameter", "a parameter is not valid", details)
            raise
        finally:
            self._open -= 1


def _middleware(around: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]) -> Middleware:
    @web.middleware  # which marks the function, and a bound method cannot be marked
    async def call(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await around(request, handler)

    return call


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
