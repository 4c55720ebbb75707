"""The HTTP interface: who may read what, parameters checked, limits on the work of one request and of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web

from services.kernel.core import http_api
from services.kernel.core.errors import Detail
from services.kernel.core.http import error_response
from services.kernel.core.http_api import ApiSettings, json_response
from services.kernel.core.http_parameters import limit
from services.kernel.core.tokens import Forbidden
from services.storefront import cursors
from services.storefront.access import Access, identifier
from services.storefront.history import History
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader, OrderTooLarge
from services.storefront.recommendation_routes import RecommendationRoutes

MAX_LIMIT = 100
DEFAULT_LIMIT = 20

_OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()


class Api:
    """The storefront's application.

    Args:
        secrets: gives the cursor secrets in force, the signing one first.
        settings: where to listen, and the bounds on requests.
    """

    def __init__(
        self,
        reader: OrderReader,
        recommendations: RecommendationRoutes,
        access: Access,
        secrets: Callable[[], Sequence[bytes]],
        metrics: StorefrontMetrics,
        settings: ApiSettings,
    ) -> None:
        self._reader = reader
        self._history = History(reader, metrics)
        self._recommendations = recommendations
        self._access = access
        self._secrets = secrets
        self._metrics = metrics
        self._settings = settings

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        routes = [
            web.get("/v1/customers/{customer_id}/orders", self._customer_orders),
            web.get("/v1/orders/{order_id}", self._order),
            *self._recommendations.routes(),
        ]
        return http_api.application(
            routes, _OPENAPI, self._metrics, self._settings, answer_of=self._answer_of
        )

    async def _customer_orders(self, request: web.Request) -> web.Response:
        customer_id = self._access.customer_id(request, "orders")
        most = limit(request.query.get("limit"), default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
        after = self._position(customer_id, request.query.get("cursor"))
        page = await self._history.page(customer_id, most, after)
        cursor = "null"
        if page.after is not None:
            cursor = f'"{cursors.signed(self._secrets()[0], customer_id, page.after, time.time())}"'
        return json_response(
            b'{"orders":[' + b",".join(page.orders) + b'],"next_cursor":' + cursor.encode() + b"}"
        )

    async def _order(self, request: web.Request) -> web.Response:
        principal = self._access.principal(request)
        order_id = identifier("order_id", request.match_info["order_id"])
        source = request.query.get("source")
        if source is not None:
            identifier("source", source)
        found = await self._reader.orders(order_id, source)
        if principal.role == "customer":
            found = [order for order in found if order.customer_id == principal.subject]
            if not found:
                # The same answer for another's order and for none: a token does not tell which numbers exist.
                raise Forbidden("not_yours", "no such order of this customer")
        if not found:
            return error_response(404, "not_found", "there is no such order")
        if len(found) > 1:
            named = [Detail("/source", order.source) for order in found]
            return error_response(409, "ambiguous", "several senders have used this number: name one", named)
        return json_response(found[0].document)

    def _position(self, customer_id: str, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return cursors.opened(self._secrets(), customer_id, cursor, time.time())

    def _answer_of(self, error: Exception) -> web.Response | None:
        if isinstance(error, cursors.InvalidCursor):
            self._metrics.invalid_cursors.inc()
            return error_response(400, "invalid_cursor", "begin again without a cursor")
        if isinstance(error, OrderTooLarge):
            return error_response(422, "order_too_large", "an order here is too large to be shown whole")
        return self._recommendations.answer_of(error)


def openapi() -> dict[str, object]:
    """The specification that /openapi.json serves."""
    return msgspec.json.decode(_OPENAPI, type=dict[str, object])
