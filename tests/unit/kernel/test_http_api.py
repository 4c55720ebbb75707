"""What every API of ours does with a request before and after its handler."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.kernel.core import http_api
from services.kernel.core.errors import Misconfigured
from services.kernel.core.http import error_response
from services.kernel.core.http_api import RequestMetrics, json_response, listening
from services.kernel.core.http_parameters import InvalidParameter, limit, matching

MAX_REQUESTS = 2


@dataclass(frozen=True)
class Limits:
    """The settings of an API under test."""

    host: str = "127.0.0.1"
    port: int = 0
    max_requests: int = MAX_REQUESTS
    request_timeout_s: float = 30.0


class Own(Exception):
    """An error that only this API knows."""


class Api:
    """Handlers that fail in every way."""

    def __init__(self, limits: Limits) -> None:
        self.metrics = RequestMetrics()
        self.held = asyncio.Event()
        self.arrived = asyncio.Queue[None]()
        routes = [
            web.get("/held", self._hold),
            web.get("/stuck", self._stuck),
            web.get("/parameter", self._parameter),
            web.get("/own", self._own),
            web.get("/bug", self._bug),
        ]
        self.app = http_api.application(
            routes, b'{"openapi":"3.1.0"}', self.metrics, limits, answer_of=self._answer_of
        )

    async def _hold(self, _request: web.Request) -> web.Response:
        self.arrived.put_nowait(None)
        await self.held.wait()
        return json_response({"name": "é"})

    async def _stuck(self, _request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    async def _parameter(self, _request: web.Request) -> web.Response:
        raise InvalidParameter("from", "a time")

    async def _own(self, _request: web.Request) -> web.Response:
        raise Own

    async def _bug(self, _request: web.Request) -> web.Response:
        raise ZeroDivisionError

    def _answer_of(self, error: Exception) -> web.Response | None:
        return error_response(409, "own", "mine") if isinstance(error, Own) else None


@dataclass
class Running:
    """An API that listens, and a client of it."""

    api: Api
    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str) -> tuple[int, Any, dict[str, str]]:
        """Status, document, headers."""
        async with self.session.get(self.url + path) as answer:
            return answer.status, json.loads(await answer.read()), dict(answer.headers)

    def sample(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.api.metrics.registry.get_sample_value(f"cadabra_kernel_{name}", labels) or 0.0


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[Running]:
    api = Api(limits)
    async with listening(api.app, limits) as port, aiohttp.ClientSession() as session:
        yield Running(api, session, f"http://127.0.0.1:{port}")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with served(Limits()) as running:
        yield running


async def test_a_request_too_many_is_refused_at_once_and_the_others_are_answered(running: Running) -> None:
    held = [asyncio.create_task(running.get("/held")) for _ in range(MAX_REQUESTS)]
    for _ in held:
        await running.api.arrived.get()
    status, answer, headers = await running.get("/held")
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "throttled", "1")
    assert running.sample("open_requests") == MAX_REQUESTS
    running.api.held.set()
    assert [(status, answer) for status, answer, _ in await asyncio.gather(*held)] == [
        (200, {"name": "é"})
    ] * MAX_REQUESTS
    assert running.sample("open_requests") == 0
    assert running.sample("requests_total", route="/held", status="200") == MAX_REQUESTS
    assert running.sample("requests_total", route="/held", status="503") == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/parameter", 400, "invalid_parameter"),
        ("/own", 409, "own"),
        ("/bug", 500, "internal"),
        ("/nowhere", 404, "not_found"),
    ],
)
async def test_every_failure_has_its_answer(running: Running, path: str, status: int, code: str) -> None:
    found, answer, headers = await running.get(path)
    assert (found, answer["error"]["code"]) == (status, code)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


async def test_a_request_that_takes_too_long_is_cut_off() -> None:
    async with served(Limits(request_timeout_s=0.05)) as running:
        status, answer, headers = await running.get("/stuck")
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "timed_out", "1")


async def test_a_parameters_fault_is_told_with_its_place(running: Running) -> None:
    _, answer, _ = await running.get("/parameter")
    assert answer["error"]["details"] == [{"pointer": "/from", "reason": "a time"}]


async def test_the_specification_needs_no_token(running: Running) -> None:
    assert (await running.get("/openapi.json"))[:2] == (200, {"openapi": "3.1.0"})


async def test_an_address_that_is_taken_is_a_wrong_setting(running: Running) -> None:
    taken = Limits(port=int(running.url.rpartition(":")[2]))
    with pytest.raises(Misconfigured):
        async with listening(Api(taken).app, taken):
            raise AssertionError("not reached")


@pytest.mark.parametrize(("text", "found"), [(None, 20), ("1", 1), ("100", 100)])
def test_a_limit(text: str | None, found: int) -> None:
    assert limit(text, default=20, maximum=100) == found


@pytest.mark.parametrize("text", ["", "0", "-1", "01", "1.0", "101", "9" * 5000, "\uff11", "1\n"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(InvalidParameter):
        limit(text, default=20, maximum=100)


def test_a_pattern_says_what_a_text_should_be() -> None:
    assert matching("state", re.compile(r"a+\Z"), "aa", "many a") == "aa"
    with pytest.raises(InvalidParameter) as caught:
        matching("state", re.compile(r"a+\Z"), "ab", "many a")
    assert (caught.value.name, caught.value.reason) == ("state", "many a")
