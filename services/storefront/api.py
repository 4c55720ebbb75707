"""The HTTP interface: who may read what, parameters checked, limits on the work of one request and of all."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from services.kernel.core.errors import Detail, Throttled, TimedOut
from services.kernel.core.http import Handler, error_response, errors_middleware
from services.kernel.core.tokens import Forbidden, Principal, Verifier
from services.storefront import cursors
from services.storefront.history import History
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader, OrderTooLarge

MAX_LIMIT = 100
DEFAULT_LIMIT = 20

_READERS = frozenset({"customer", "operator"})
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")
_LIMIT = re.compile(r"(100|[1-9][0-9]?)\Z")
_OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class InvalidParameter(Exception):
    """A parameter of the request is not what the specification says."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.name = name
        self.reason = reason


class Api:
    """The storefront's application.

    Args:
        secrets: gives the cursor secrets in force, the signing one first.
        max_requests: at work at once; a further one is answered 503 at once.
        request_timeout_s: seconds after which a request is answered 503.
    """

    def __init__(
        self,
        reader: OrderReader,
        verifier: Verifier,
        secrets: Callable[[], Sequence[bytes]],
        metrics: StorefrontMetrics,
        max_requests: int,
        request_timeout_s: float,
    ) -> None:
        self._reader = reader
        self._history = History(reader, metrics)
        self._verifier = verifier
        self._secrets = secrets
        self._metrics = metrics
        self._max_requests = max_requests
        self._request_timeout_s = request_timeout_s
        self._open = 0

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        app = web.Application(
            middlewares=[_middleware(self._measured), errors_middleware, _middleware(self._limited)],
            client_max_size=1024,
        )
        app.router.add_get("/v1/customers/{customer_id}/orders", self._customer_orders)
        app.router.add_get("/v1/orders/{order_id}", self._order)
        app.router.add_get("/openapi.json", self._openapi)
        app.on_response_prepare.append(_add_headers)
        return app

    async def _customer_orders(self, request: web.Request) -> web.Response:
        principal = self._principal(request)
        customer_id = request.match_info["customer_id"]
        if principal.role == "customer" and principal.subject != customer_id:
            raise Forbidden("not_yours", "a customer's token reads only that customer's orders")
        _identifier("customer_id", customer_id)
        limit = _limit(request.query.get("limit"))
        after = self._position(customer_id, request.query.get("cursor"))
        page = await self._history.page(customer_id, limit, after)
        cursor = "null"
        if page.after is not None:
            cursor = f'"{cursors.signed(self._secrets()[0], customer_id, page.after, time.time())}"'
        return _json(b'{"orders":[' + b",".join(page.orders) + b'],"next_cursor":' + cursor.encode() + b"}")

    async def _order(self, request: web.Request) -> web.Response:
        principal = self._principal(request)
        order_id = _identifier("order_id", request.match_info["order_id"])
        source = request.query.get("source")
        if source is not None:
            _identifier("source", source)
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
        return _json(found[0].document)

    async def _openapi(self, _request: web.Request) -> web.Response:
        return _json(_OPENAPI)

    def _principal(self, request: web.Request) -> Principal:
        return self._verifier.verify(request.headers.get("Authorization"), roles=_READERS)

    def _position(self, customer_id: str, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return cursors.opened(self._secrets(), customer_id, cursor, time.time())

    async def _measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
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
        except cursors.InvalidCursor:
            self._metrics.invalid_cursors.inc()
            return error_response(400, "invalid_cursor", "begin again without a cursor")
        except OrderTooLarge:
            return error_response(422, "order_too_large", "an order here is too large to be shown whole")
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


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _identifier(name: str, value: str) -> str:
    if _IDENTIFIER.match(value) is None:
        raise InvalidParameter(name, "1 to 64 of A-Z a-z 0-9 . _ : -, the first a letter or digit")
    return value


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if _LIMIT.match(text) is None:
        raise InvalidParameter("limit", f"a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def openapi() -> dict[str, object]:
    """The specification that /openapi.json serves."""
    return msgspec.json.decode(_OPENAPI, type=dict[str, object])
