"""The HTTP interface to what was sold: measures by dimensions, and saved queries."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from services.console.requests import Allowed, Parameters
from services.console.sales import model, output, requests, saved
from services.console.sales.sales import Sales
from services.kernel.core.errors import CadabraError
from services.kernel.core.http import error_response
from services.kernel.core.http_api import json_response
from services.kernel.core.questions import QuestionRefused, TooMuch, TooSlow

_SALES = Allowed(requests.PARAMETERS)
_NONE = Allowed(frozenset())


class UnknownQuery(CadabraError):
    """There is no saved query of this name."""


class SalesApi:
    """The routes.

    Args:
        given: the parameters of a request of somebody who may ask; raises otherwise.
    """

    def __init__(self, sales: Sales, given: Callable[[web.Request, Allowed], Parameters]) -> None:
        self._sales = sales
        self._given = given

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        return [
            web.get("/v1/sales", self._by),
            web.get("/v1/sales/model", self._model),
            web.get("/v1/queries", self._queries),
            web.get("/v1/queries/{name}", self._query),
        ]

    async def _by(self, request: web.Request) -> web.Response:
        asked = requests.asked(self._given(request, _SALES))
        return json_response(output.document(await self._sales.by(asked)))

    async def _model(self, request: web.Request) -> web.Response:
        self._given(request, _NONE)
        return json_response(model.model().document())

    async def _queries(self, request: web.Request) -> web.Response:
        self._given(request, _NONE)
        return json_response({"queries": [one.document() for one in saved.queries().values()]})

    async def _query(self, request: web.Request) -> web.Response:
        query = saved.queries().get(request.match_info["name"])
        names = (
            frozenset(one.name for one in query.parameters) if query is not None else frozenset(request.query)
        )
        given = self._given(request, Allowed(names))
        if query is None:
            raise UnknownQuery
        answer = await self._sales.saved(query, dict(given))
        return json_response({"name": query.name, **output.document(answer)})


def answer_of(error: Exception) -> web.Response | None:
    """The answer that a failure of a question means; None for any other."""
    if isinstance(error, UnknownQuery):
        return error_response(
            404, "unknown_query", "there is no saved query of this name; /v1/queries lists them"
        )
    if isinstance(error, TooSlow):
        return error_response(504, "too_slow", "the query took too long and was stopped; ask for less")
    if isinstance(error, TooMuch):
        return error_response(400, "query_refused", f"the query is too large: {error}; ask for less")
    if isinstance(error, QuestionRefused):
        return error_response(400, "query_refused", "the engine does not take this query")
    return None
