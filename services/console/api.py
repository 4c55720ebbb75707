"""The HTTP interface: who may ask, parameters checked, the answer that each failure of a search means."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from services.console import requests, views
from services.console.logs.search import Logs, TooSlow
from services.console.metrics import ConsoleMetrics
from services.console.requests import Allowed, InvalidQuery, Parameters
from services.console.sales import api as sales_api
from services.console.sales.api import SalesApi
from services.console.sales.sales import Sales
from services.kernel.adapters.opensearch import QueryRefused
from services.kernel.core import http_api
from services.kernel.core.http import error_response
from services.kernel.core.http_api import ApiSettings, json_response
from services.kernel.core.tokens import Verifier

T = TypeVar("T")
_ROLES = frozenset({"operator", "analyst"})
_OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()
_WHICH = frozenset({"from", "to", "q"})
_ENTRIES = Allowed(_WHICH | {"limit", "cursor"})
_SUMMARY = Allowed(_WHICH | {"limit"})
_FACET = Allowed(_WHICH | {"limit"})
_HISTOGRAM = Allowed(_WHICH | {"interval"})


class Api:
    """The console's application.

    Args:
        settings: where to listen, and the bounds on requests.
        now_s: seconds since the epoch.
    """

    def __init__(
        self,
        logs: Logs,
        sales: Sales,
        verifier: Verifier,
        metrics: ConsoleMetrics,
        settings: ApiSettings,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._logs = logs
        self._sales = SalesApi(sales, self._given)
        self._verifier = verifier
        self._metrics = metrics
        self._settings = settings
        self._now_s = now_s

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        routes = [
            web.get("/v1/logs/entries", self._entries),
            web.get("/v1/logs/summary", self._summary),
            web.get("/v1/logs/facets/{field}", self._facet),
            web.get("/v1/logs/histogram", self._histogram),
            *self._sales.routes(),
        ]
        return http_api.application(
            routes, _OPENAPI, self._metrics, self._settings, answer_of=self._answer_of
        )

    async def _entries(self, request: web.Request) -> web.Response:
        given = self._given(request, _ENTRIES)
        asked = requests.asked(given, self._now_ms())
        limit, after = requests.limit(given), requests.position(given)
        found = await self._timed("entries", self._logs.entries(asked, limit, after))
        return json_response(views.page(asked.range, found))

    async def _summary(self, request: web.Request) -> web.Response:
        given = self._given(request, _SUMMARY)
        asked = requests.asked(given, self._now_ms())
        interval, size = asked.range.sensible_interval(), requests.summary_size(given)
        found = await self._timed("summary", self._logs.summary(asked, interval, size))
        return json_response(views.summary(asked.range, found))

    async def _facet(self, request: web.Request) -> web.Response:
        given = self._given(request, _FACET)
        asked = requests.asked(given, self._now_ms())
        name, size = requests.facet(request.match_info["field"]), requests.facet_size(given)
        found = await self._timed("facet", self._logs.facet(asked, name, size))
        return json_response({**views.range_of(asked.range), "field": name, **views.facet(found)})

    async def _histogram(self, request: web.Request) -> web.Response:
        given = self._given(request, _HISTOGRAM)
        asked = requests.asked(given, self._now_ms())
        interval = requests.interval(given, asked.range)
        found = await self._timed("histogram", self._logs.histogram(asked, interval))
        return json_response({**views.range_of(asked.range), **views.histogram(found)})

    def _given(self, request: web.Request, allowed: Allowed) -> Parameters:
        self._verifier.verify(request.headers.get("Authorization"), roles=_ROLES)
        allowed.check(request.query)
        return request.query

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)

    async def _timed(self, what: str, answer: Awaitable[T]) -> T:
        started = time.perf_counter()
        try:
            return await answer
        except TooSlow:
            self._metrics.too_slow.labels(what=what).inc()
            raise
        finally:
            self._metrics.search_s.labels(what=what).observe(time.perf_counter() - started)

    def _answer_of(self, error: Exception) -> web.Response | None:
        if isinstance(error, TooSlow):
            words = "the search took too long and was cancelled; ask for less time or a narrower query"
            return error_response(504, "too_slow", words)
        if isinstance(error, QueryRefused):
            words = "OpenSearch does not take this query; a narrower one may do"
            return error_response(400, "query_refused", words)
        if isinstance(error, InvalidQuery):
            self._metrics.refused_queries.inc()
        return sales_api.answer_of(error)
