"""HTTP errors: one shape, stable codes, nothing of ours or of a customer shown."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.kernel.core import logs, trace
from services.kernel.core.errors import (
    Detail,
    InvalidRecord,
    MissingResource,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)
from services.kernel.core.http import error_response, errors_middleware
from services.kernel.core.tokens import Forbidden, Unauthorized

SECRET = "4111-1111-1111-1111"
ERRORS: dict[str, Exception] = {
    "unauthorized": Unauthorized("expired_token", "the token has expired"),
    "forbidden": Forbidden("wrong_role", "not for a sender"),
    "invalid": InvalidRecord("contract_violation", "2 faults", [Detail("/lines/0", "missing")]),
    "throttled": Throttled(SECRET),
    "unavailable": Unavailable(SECRET),
    "timed_out": TimedOut(SECRET),
    "missing": MissingResource(SECRET),
    "refused": Refused(SECRET),
    "bug": KeyError(SECRET),
    "too_large": web.HTTPRequestEntityTooLarge(10, 20),
    "unsupported": web.HTTPUnsupportedMediaType(),
    "redirect": web.HTTPFound("/elsewhere"),
}
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.setup("shop", "DEBUG", "shop-1", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
async def client(output: io.StringIO) -> AsyncIterator[Client]:
    async def fail(request: web.Request) -> web.Response:
        raise ERRORS[request.match_info["kind"]]

    async def who(_request: web.Request) -> web.Response:
        return web.Response(text=str(trace.current.get()))

    app = web.Application(middlewares=[errors_middleware])
    app.router.add_get("/fail/{kind}", fail)
    app.router.add_get("/trace", who)
    async with TestClient(TestServer(app)) as one:
        yield one


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unauthorized", 401, "expired_token"),
        ("forbidden", 403, "wrong_role"),
        ("invalid", 422, "contract_violation"),
        ("throttled", 503, "throttled"),
        ("unavailable", 503, "unavailable"),
        ("timed_out", 503, "timed_out"),
        ("missing", 503, "unavailable"),
        ("refused", 500, "internal"),
        ("bug", 500, "internal"),
        ("too_large", 413, "too_large"),
        ("unsupported", 415, "unsupported_media_type"),
    ],
)
async def test_every_failure_has_one_shape(
    client: Client, output: io.StringIO, kind: str, status: int, code: str
) -> None:
    async with client.get(f"/fail/{kind}") as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["code"]) == (status, code)
        assert set(body["error"]) == {"code", "message", "details"}
        assert ("Retry-After" in answer.headers) == (status == 503)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert SECRET not in await answer.text()
    assert (output.getvalue() != "") == (kind in ("bug", "refused", "missing"))


async def test_faults_keep_their_pointers(client: Client) -> None:
    async with client.get("/fail/invalid") as answer:
        body = await answer.json()
    assert body["error"]["details"] == [{"pointer": "/lines/0", "reason": "missing"}]


async def test_what_the_framework_refuses_has_the_shape_too(client: Client) -> None:
    async with client.get("/none") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
    async with client.post("/trace") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"]
    async with client.get("/fail/redirect", allow_redirects=False) as answer:
        assert answer.status == 302


async def test_a_bug_is_logged_by_its_route_not_its_path(client: Client, output: io.StringIO) -> None:
    async with client.get("/fail/bug"):
        pass
    assert '"route": "/fail/{kind}"' in output.getvalue()
    assert SECRET not in output.getvalue()


async def test_the_callers_trace_goes_on_or_a_new_one_starts(client: Client) -> None:
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with client.get("/trace", headers={"traceparent": header}) as answer:
        assert await answer.text() == header
    seen = set()
    for _ in range(2):
        async with client.get("/trace", headers={"traceparent": "junk"}) as answer:
            seen.add(await answer.text())
    assert len(seen) == 2
    assert all(trace.parse(one) for one in seen)


def test_an_error_carries_the_headers_given() -> None:
    answer: Any = error_response(429, "rate_limited", "slower", headers={"Retry-After": "7"})
    assert (answer.status, answer.headers["Retry-After"], answer.content_type) == (
        429,
        "7",
        "application/json",
    )
