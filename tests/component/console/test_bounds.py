"""Who may ask, what is refused, and that nothing costs more than its bound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from tests import processes
from tests.component.console.conftest import RANGE, Console
from tests.conftest import SignToken
from tests.unit.console.test_filters import HOSTILE

ROUTES = ("/v1/logs/entries", "/v1/logs/summary", "/v1/logs/facets/path", "/v1/logs/histogram")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("role", "status"), [("operator", 200), ("analyst", 200), ("sender", 403), ("customer", 403), ("", 401)]
)
async def test_operators_and_analysts_alone(
    console: Console, sign_token: SignToken, route: str, role: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {sign_token(role, 'x')}"} if role else {}
    async with console.session.get(console.process.url + route, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", ROUTES)
async def test_a_day_without_an_index_has_zeros(console: Console, route: str) -> None:
    status, found, _ = await console.get(route, **{"from": "2019-02-01", "to": "2019-02-03"})
    assert status == 200
    numbers = [found.get("total", 0), found.get("entries", []), found.get("values", [])]
    assert numbers in ([{"value": 0, "exact": True}, [], []], [0, [], []])
    steps = found.get("steps") or found.get("histogram", {}).get("steps", [])
    assert all(step["total"] == 0 for step in steps)


async def test_a_range_of_which_some_days_have_no_index_has_the_others(console: Console) -> None:
    status, found, _ = await console.get("/v1/logs/summary", **{"from": "2015-05-14", "to": "2015-05-21"})
    assert (status, found["total"]) == (200, 10_000)


@pytest.mark.parametrize(("query", "at"), HOSTILE)
async def test_a_hostile_query_is_answered_with_place_and_reason(
    console: Console, query: str, at: int
) -> None:
    status, document, _ = await console.get("/v1/logs/summary", **RANGE, q=query)
    assert (status, document["error"]["code"]) == (400, "invalid_parameter")
    (fault,) = document["error"]["details"]
    assert fault["pointer"] == "/q"
    assert fault["reason"].startswith(f"at character {at}: ")


ODD = (
    '"' + "\U0001f575" * 256 + '" ' + '"' + "\U0001f575" * 256 + '" ' + '"' + "\U0001f575" * 256 + '"',
    "path:/a" + "?a" * 4,
    "size:9223372036854775807",
    "size:[-9223372036854775808 TO 9223372036854775807]",
    "status:0",
    "status:999",
    "ip:::/0",
    "ip:0.0.0.0/0",
    'event.original:"' + "a " * 120 + '"',
    "user_agent.original.words:" + "a-" * 120,
    "...",
    '"\u202e\u0301中"',
    " OR ".join(["path:/a*b*c"] * 32),
    "((((((((a))))))))",
    "log.offset:>9223372036854775806",
    "time:[1990-01-01 TO 2199-01-01]",
    "generation:ff*",
)


@pytest.mark.parametrize("query", ODD, ids=[query[:24] for query in ODD])
async def test_what_is_allowed_but_odd_is_understood_by_opensearch(console: Console, query: str) -> None:
    for route in ROUTES:
        status, document, _ = await console.get(route, **RANGE, q=query)
        assert status == 200, document


@pytest.mark.parametrize(
    ("route", "parameters", "name"),
    [
        ("/v1/logs/entries", {"limit": "501"}, "limit"),
        ("/v1/logs/entries", {"cursor": "abc"}, "cursor"),
        ("/v1/logs/summary", {"limit": "51"}, "limit"),
        ("/v1/logs/facets/path", {"limit": "1001"}, "limit"),
        ("/v1/logs/facets/url.original", {}, "field"),
        ("/v1/logs/histogram", {"interval": "1s"}, "interval"),
        ("/v1/logs/histogram", {"size": "10"}, "size"),
        ("/v1/logs/summary", {"from": "2015-05-10"}, "from"),
    ],
)
async def test_what_is_beyond_a_bound_is_refused_by_name(
    console: Console, route: str, parameters: dict[str, str], name: str
) -> None:
    status, document, _ = await console.get(route, **{**RANGE, **parameters})
    assert (status, document["error"]["code"]) == (400, "invalid_parameter")
    assert document["error"]["details"][0]["pointer"] == f"/{name}"


class Engine:
    """Stands where OpenSearch should be, and answers nothing, or that it is too busy."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[web.Request] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_post("/{indices}/_search", self._search)

    async def _search(self, request: web.Request) -> web.Response:
        self.asked.put_nowait(request)
        if "busy" in await request.text():
            return web.json_response({"error": {"type": "rejected_execution_exception"}}, status=429)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise
        raise AssertionError("not reached")


async def test_a_search_is_cancelled_in_time_and_only_its_days_are_asked(
    console: Console, tmp_path: Path
) -> None:
    engine = Engine()
    runner = web.AppRunner(engine.app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    environment = {
        **console.environment,
        "CADABRA_OPENSEARCH_ENDPOINT": url,
        "CADABRA_QUERY_TIMEOUT_S": "0.2",
    }
    process = await processes.start("console", tmp_path, environment)
    slow = Console(process, console.session, console.headers, environment, console.namespace)
    try:
        status, document, _ = await slow.get("/v1/logs/summary", **RANGE)
        assert (status, document["error"]["code"]) == (504, "too_slow")
        request = engine.asked.get_nowait()
        assert request.match_info["indices"].split(",") == [
            f"{console.namespace}-access-logs-2015.05.{day}" for day in (17, 18, 19, 20)
        ]
        assert request.query["timeout"] == request.query["cancel_after_time_interval"] == "200ms"
        async with asyncio.timeout(10):
            await engine.gone.wait()  # the connection is closed, which ends the search in OpenSearch too
        samples = await process.metrics()
        assert samples['cadabra_console_too_slow_total{what="summary"}'] == 1
        status, document, headers = await slow.get("/v1/logs/summary", **RANGE, q="busy")
        assert (status, document["error"]["code"], headers["Retry-After"]) == (503, "throttled", "1")
    finally:
        process.kill9()
        await runner.cleanup()


async def test_without_opensearch_it_runs_and_says_503(console: Console, tmp_path: Path) -> None:
    environment = {**console.environment, "CADABRA_OPENSEARCH_ENDPOINT": "http://127.0.0.1:9"}
    process = await processes.start("console", tmp_path, environment)
    away = Console(process, console.session, console.headers, environment, console.namespace)
    try:
        status, document, headers = await away.get("/v1/logs/summary")
        assert (status, document["error"]["code"], headers["Retry-After"]) == (503, "unavailable", "1")
        process.terminate()
        assert await process.wait() == 0
    finally:
        process.kill9()


async def test_a_refused_query_is_counted(console: Console) -> None:
    before = (await console.process.metrics())["cadabra_console_refused_queries_total"]
    await console.get("/v1/logs/entries", q="*:*")
    assert (await console.process.metrics())["cadabra_console_refused_queries_total"] == before + 1
