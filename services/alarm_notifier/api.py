"""The operators' HTTP interface: tokens and parameters checked, limits on the work of one request and of all."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from services.alarm_notifier import requests, views
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.operations import Conflict, Operations
from services.kernel.core import http_api
from services.kernel.core.errors import InvalidRecord
from services.kernel.core.http import error_response
from services.kernel.core.http_api import ApiSettings, json_response
from services.kernel.core.tokens import Principal, Verifier

MAX_BODY_BYTES = 16 * 1024
_ROLES = frozenset({"operator"})
_OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()


class Api:
    """The notifier's application.

    Args:
        settings: where to listen, and the bounds on requests.
    """

    def __init__(
        self,
        operations: Operations,
        verifier: Verifier,
        metrics: NotifierMetrics,
        settings: ApiSettings,
    ) -> None:
        self._operations = operations
        self._verifier = verifier
        self._metrics = metrics
        self._settings = settings

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        routes = [
            web.get("/v1/incidents", self._incidents),
            web.get("/v1/incidents/{incident_id}", self._incident),
            web.post("/v1/incidents/{incident_id}/acknowledge", self._acknowledge),
            web.get("/v1/silences", self._silences),
            web.post("/v1/silences", self._silence),
            web.post("/v1/silences/{silence_id}/expire", self._expire),
            web.post("/v1/test-messages", self._test),
            web.get("/v1/test-messages/{message_id}", self._tested),
        ]
        return http_api.application(
            routes,
            _OPENAPI,
            self._metrics,
            self._settings,
            max_body_bytes=MAX_BODY_BYTES,
            answer_of=_answer_of,
        )

    async def _incidents(self, request: web.Request) -> web.Response:
        self._principal(request)
        state = requests.listed_state(request.query.get("state"))
        limit = requests.limit(request.query.get("limit"))
        at = requests.start_key(request.query.get("cursor"), state)
        found, following = await self._operations.listed(state, limit, at)
        shown = [views.incident(one) for one in found]
        return json_response({"incidents": shown, "next_cursor": requests.cursor_of(following)})

    async def _incident(self, request: web.Request) -> web.Response:
        self._principal(request)
        found = await self._operations.shown(requests.incident_id(request.match_info["incident_id"]))
        if found is None:
            return _nothing("incident")
        incident, messages = found
        return json_response(
            {**views.incident(incident), "messages": [views.message(one) for one in messages]}
        )

    async def _acknowledge(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        incident_id = requests.incident_id(request.match_info["incident_id"])
        incident = await self._operations.acknowledge(incident_id, operator.subject)
        return json_response(views.incident(incident)) if incident is not None else _nothing("incident")

    async def _silences(self, request: web.Request) -> web.Response:
        self._principal(request)
        return json_response({"silences": [views.silence(one) for one in await self._operations.silences()]})

    async def _silence(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        asked = requests.silence_request(await request.read())
        return json_response(
            views.silence(await self._operations.silence(asked, operator.subject)), status=201
        )

    async def _expire(self, request: web.Request) -> web.Response:
        self._principal(request)
        ended = await self._operations.expire(requests.silence_id(request.match_info["silence_id"]))
        return json_response(views.silence(ended)) if ended is not None else _nothing("silence in force")

    async def _test(self, request: web.Request) -> web.Response:
        operator = self._principal(request)
        asked = requests.test_request(await request.read())
        message = await self._operations.test(asked.severity, operator.subject)
        return json_response(views.message(message), status=202)

    async def _tested(self, request: web.Request) -> web.Response:
        self._principal(request)
        message = await self._operations.tested(requests.message_id(request.match_info["message_id"]))
        return json_response(views.message(message)) if message is not None else _nothing("test message")

    def _principal(self, request: web.Request) -> Principal:
        return self._verifier.verify(request.headers.get("Authorization"), roles=_ROLES)


def _answer_of(error: Exception) -> web.Response | None:
    if isinstance(error, InvalidRecord) and error.reason == "invalid_json":
        return error_response(400, error.reason, error.message)
    if isinstance(error, Conflict):
        return error_response(409, error.code, error.message)
    return None


def _nothing(what: str) -> web.Response:
    return error_response(404, "not_found", f"there is no such {what}")
