"""The operators' HTTP interface: tokens and parameters checked, limits on the work of one request and of all."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.alarm_notifier import requests, views
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.operations import Conflict, Operations
from services.alarm_notifier.requests import InvalidParameter
from services.kernel.core.errors import Detail, InvalidRecord, Throttled, TimedOut
from services.kernel.core.http import Handler, error_response, errors_middleware
from services.kernel.core.tokens import Principal, Verifier

MAX_BODY_BYTES = 16 * 1024
_ROLES = frozenset({"operator"})
_OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Api:
    """The notifier's application.

    Args:
        max_requests: at work at once; a further one is answered 503 at once.
        request_timeout_s: seconds after which a request is answered 503.
    """

    def __init__(
        self,
        operations: Operations,
        verifier: Verifier,
        metrics: NotifierMetrics,
        max_requests: int,
        request_timeout_s: float,
    ) -> None:
        self._operations = operations
        self._verifier = verifier
        self._metrics = metrics
        self._max_requests = max_requests
        self._request_timeout_s = request_timeout_s
        self._open = 0

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        app = web.Application(
            middlewares=[_middleware(self._measured), errors_middleware, _middleware(self._limited)],
            client_max_size=MAX_BODY_BYTES,
        )
        app.router.add_get("/v1/incidents", self._incidents)
        app.router.add_get("/v1/incidents/{incident_id}", self._incident)
        app.router.add_post("/v1/incidents/{incident_id}/acknowledge", self._acknowledge)
        app.router.add_get("/v1/silences", self._silences)
        app.router.add_post("/v1/silences", self._silence)
        app.router.add_post("/v1/silences/{silence_id}/expire", self._expire)
        app.router.add_post("/v1/test-messages", self._test)
        app.router.add_get("/v1/test-messages/{message_id}", self._tested)
        app.router.add_get("/openapi.json", self._openapi)
        app.on_response_prepare.append(_add_headers)
        return app

    async def _incidents(self, request: web.Request) -> web.Response:
        self._principal(request)
        state = requests.listed_state(request.query.get("state"))
        limit = requests.limit(request.query.get("limit"))
        at = requests.start_key(request.query.get("cursor"), state)
        found, following = await self._operations.listed(state, limit, at)
        shown = [views.incident(one) for one in found]
        return _json({"incidents": shown, "next_cursor": requests.cursor_of(following)})

    async def _incident(self, request: web.Request) -> web.Response:
        self._principal(request)
        found = await self._operations.shown(requests.incident_id(request.match_info["incident_id"]))
        if found is None:
            return _nothing("incident")
        incident, messages = found
        return _json({**views.incident(incident), "messages": [views.message(one) for one in messages]})

    async def _acknowledge(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        incident_id = requests.incident_id(request.match_info["incident_id"])
        incident = await self._operations.acknowledge(incident_id, operator.subject)
        return _json(views.incident(incident)) if incident is not None else _nothing("incident")

    async def _silences(self, request: web.Request) -> web.Response:
        self._principal(request)
        return _json({"silences": [views.silence(one) for one in await self._operations.silences()]})

    async def _silence(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        asked = requests.silence_request(await request.read())
        return _json(views.silence(await self._operations.silence(asked, operator.subject)), status=201)

    async def _expire(self, request: web.Request) -> web.Response:
        self._principal(request)
        ended = await self._operations.expire(requests.silence_id(request.match_info["silence_id"]))
        return _json(views.silence(ended)) if ended is not None else _nothing("silence in force")

    async def _test(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        asked = requests.test_request(await request.read())
        message = await self._operations.test(asked.severity, operator.subject)
        return _json(views.message(message), status=202)

    async def _tested(self, request: web.Request) -> web.Response:
        self._principal(request)
        message = await self._operations.tested(requests.message_id(request.match_info["message_id"]))
        return _json(views.message(message)) if message is not None else _nothing("test message")

    async def _openapi(self, _request: web.Request) -> web.Response:
        return web.Response(body=_OPENAPI, content_type="application/json")

    def _principal(self, request: web.Request) -> Principal:
        return self._verifier.verify(request.headers.get("Authorization"), roles=_ROLES)

    async def _measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        status = "gone"
        try:
            answer = await handler(request)
            status = str(answer.status)
            return answer
        finally:
            self._metrics.requests.labels(route=route, status=status).inc()
            self._metrics.request_s.labels(route=route).observe(time.perf_counter() - started)

    async def _limited(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._open >= self._max_requests:
            raise Throttled("too many requests at work")
        self._open += 1
        try:
            async with asyncio.timeout(self._request_timeout_s):
                return await handler(request)
        except TimeoutError as error:
            raise TimedOut("request") from error
        except InvalidParameter as error:
            details = [Detail(f"/{error.name}", error.reason)]
            return error_response(400, "invalid_parameter", "a parameter is not valid", details)
        except InvalidRecord as error:
            if error.reason != "invalid_json":
                raise
            return error_response(400, error.reason, error.message)
        except Conflict as error:
            return error_response(409, error.code, error.message)
        finally:
            self._open -= 1


def _middleware(
    around: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]],
) -> Middleware:
    @web.middleware  # which marks the function, and a bound method cannot be marked
    async def call(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await around(request, handler)

    return call


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    body = json.dumps(document, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, content_type="application/json")


def _nothing(what: str) -> web.Response:
    return error_response(404, "not_found", f"there is no such {what}")
