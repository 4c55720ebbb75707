"""The HTTP interface of recommendations: parameters checked, answers given as they come."""

from __future__ import annotations

import re

from aiohttp import web

from services.kernel.core.http import error_response
from services.kernel.core.http_api import json_response
from services.kernel.core.http_parameters import InvalidParameter, limit, matching
from services.storefront.access import Access
from services.storefront.recommendations import FOR_YOU, PARTS_OF, NoRecommendations, Recommendations

MAX_LIMIT = 50
DEFAULT_LIMIT = 10
RETRY_AFTER_S = 30

_NAME = re.compile("[^\u0000-\u001f\u007f-\u009f\ud800-\udfff]{1,64}\\Z")


class RecommendationRoutes:
    """Three routes over the lists."""

    def __init__(self, recommendations: Recommendations, access: Access) -> None:
        self._recommendations = recommendations
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [
            web.get("/v1/customers/{customer_id}/recommendations", self._of_customer),
            web.get("/v1/products/{stock_code}/also-bought", self._also_bought),
            web.get("/v1/popular", self._popular),
        ]

    def answer_of(self, error: Exception) -> web.Response | None:
        """The answer to an error that only recommendations know, None for any other."""
        if not isinstance(error, NoRecommendations):
            return None
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return error_response(503, "no_recommendations", "there is nothing to recommend yet", headers=headers)

    async def _of_customer(self, request: web.Request) -> web.Response:
        customer_id = self._access.customer_id(request, "recommendations")
        name = request.query.get("list", FOR_YOU)
        if name not in PARTS_OF:
            raise InvalidParameter("list", f"one of {', '.join(PARTS_OF)}")
        most, country = _limit(request), _country(request)
        return json_response(await self._recommendations.of_customer(customer_id, name, most, country))

    async def _also_bought(self, request: web.Request) -> web.Response:
        self._access.principal(request)
        stock_code = _printable("stock_code", request.match_info["stock_code"])
        return json_response(await self._recommendations.also_bought(stock_code, _limit(request)))

    async def _popular(self, request: web.Request) -> web.Response:
        self._access.principal(request)
        return json_response(await self._recommendations.popular(_country(request), _limit(request)))


def _limit(request: web.Request) -> int:
    return limit(request.query.get("limit"), default=DEFAULT_LIMIT, maximum=MAX_LIMIT)


def _country(request: web.Request) -> str | None:
    country = request.query.get("country")
    return None if country is None else _printable("country", country)


def _printable(name: str, value: str) -> str:
    return matching(name, _NAME, value, "1 to 64 characters, none of them a control character")
