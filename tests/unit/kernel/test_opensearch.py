"""What the OpenSearch adapter makes of answers that the real engine does not give on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters import opensearch_bulk as bulk
from services.kernel.adapters import opensearch_transport
from services.kernel.adapters.opensearch import (
    Effect,
    MissingIndex,
    NewDocument,
    OpenSearch,
    QueryRefused,
    merged_rules,
)
from services.kernel.adapters.opensearch_errors import WholeRefused
from services.kernel.core.errors import (
    CadabraError,
    InvalidRecord,
    Misconfigured,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TWO = [NewDocument("logs", "a", b'{"n":1}'), NewDocument("logs", "b", b'{"n":2}')]
CREATED = {"create": {"status": 201}}


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """URL of a server that hands every request to this."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("/"))
    finally:
        await server.close()


@asynccontextmanager
async def opensearch(handler: Handler, timeout_s: float = 10.0) -> AsyncIterator[OpenSearch]:
    """A client of an OpenSearch that answers so."""
    async with answering(handler) as url, OpenSearch.open(url, "us-east-1", timeout_s=timeout_s) as client:
        yield client


def always(body: object, status: int = 200) -> Handler:
    """Answers so, whatever it is asked."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=encoded, content_type="application/json")

    return handle


def failure(kind: str, reason: str = "it quotes 203.0.113.9") -> dict[str, Any]:
    return {"error": {"type": kind, "reason": reason, "root_cause": [{"type": kind, "reason": reason}]}}


def item(status: int, kind: str) -> dict[str, Any]:
    return {"create": {"status": status, "error": {"type": kind, "reason": "it quotes 203.0.113.9"}}}


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (429, failure("circuit_breaking_exception"), Throttled),
        (429, b"slow down", Throttled),
        (503, b"<html>Service Unavailable</html>", Unavailable),
        (503, failure("cluster_manager_not_discovered_exception"), Unavailable),
        (502, b"", Unavailable),
        (500, failure("null_pointer_exception"), Unavailable),
        (408, b"", TimedOut),
        (504, b"<html>Gateway Timeout</html>", TimedOut),
        (401, b"Unauthorized", Misconfigured),
        (403, {"Message": "User: anonymous is not authorized to perform: es:ESHttpPost"}, Misconfigured),
        (403, {"message": "The security token included in the request is expired"}, Unavailable),
        (403, failure("security_exception"), Misconfigured),
        (403, failure("cluster_block_exception"), Unavailable),
        (404, failure("index_not_found_exception"), MissingIndex),
        (404, b"not found", Refused),
        (400, b"<html>Bad Request</html>", Refused),
        (301, b"", Refused),
        (200, b'{"items":[{"create":{"sta', Unavailable),
        (200, b"\xff\xfe", Unavailable),
        (200, b"[]", Unavailable),
        (200, {"items": []}, Unavailable),
        (200, {"items": [CREATED, CREATED, CREATED]}, Unavailable),
    ],
)
async def test_a_bulk_request_that_fails_whole(status: int, body: object, wanted: type[CadabraError]) -> None:
    async with opensearch(always(body, status)) as client:
        with pytest.raises(wanted) as raised:
            await client.bulk_create(TWO)
    assert type(raised.value) is wanted
    assert "203.0.113.9" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind", "wanted"),
    [
        (400, "mapper_parsing_exception", InvalidRecord),
        (400, "strict_dynamic_mapping_exception", InvalidRecord),
        (400, "illegal_argument_exception", InvalidRecord),
        (400, "index_closed_exception", Unavailable),
        (403, "cluster_block_exception", Unavailable),
        (404, "index_not_found_exception", MissingIndex),
        (429, "rejected_execution_exception", Throttled),
        (429, "cluster_block_exception", Throttled),
        (500, "shard_failure", Unavailable),
        (503, "unavailable_shards_exception", Unavailable),
    ],
)
async def test_the_fault_of_one_document_is_a_value(
    status: int, kind: str, wanted: type[CadabraError]
) -> None:
    async with opensearch(always({"items": [item(status, kind), CREATED]})) as client:
        fault, effect = await client.bulk_create(TWO)
    assert effect is Effect.CREATED
    assert type(fault) is wanted
    assert "203.0.113.9" not in str(fault)
    if isinstance(fault, InvalidRecord):
        assert fault.reason == "unmappable"


@pytest.mark.parametrize(
    ("status", "kind", "wanted"),
    [
        (403, "security_exception", Misconfigured),
        (400, "invalid_index_name_exception", Refused),
        (404, "resource_not_found_exception", Refused),
        (302, "", Refused),
    ],
)
async def test_a_fault_that_is_no_documents_ends_the_call(
    status: int, kind: str, wanted: type[CadabraError]
) -> None:
    async with opensearch(always({"items": [CREATED, item(status, kind)]})) as client:
        with pytest.raises(wanted):
            await client.bulk_create(TWO)


async def test_a_connection_that_is_cut_is_unavailable() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with opensearch(cut) as client:
        with pytest.raises(Unavailable):
            await client.bulk_create(TWO)


async def test_an_answer_that_stops_halfway_is_unavailable() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"items":[')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with opensearch(half) as client:
        with pytest.raises(Unavailable):
            await client.bulk_create(TWO)


async def test_nobody_there_is_unavailable() -> None:
    async with answering(always({})) as url:
        pass
    async with OpenSearch.open(url, "us-east-1") as client:
        with pytest.raises(Unavailable):
            await client.health()


async def test_no_answer_in_time_is_timed_out_and_the_connection_is_let_go() -> None:
    gone = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return web.Response()

    async with answering(silent) as url:
        async with OpenSearch.open(url, "us-east-1") as client:
            with pytest.raises(TimedOut):
                await client.search("logs-*", {}, timeout_s=0.2)
        await asyncio.wait_for(gone.wait(), 10)


async def test_an_answer_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensearch_transport, "MAX_ANSWER_BYTES", 1000)
    async with opensearch(always(b'"' + b"x" * 1001 + b'"')) as client:
        with pytest.raises(Unavailable, match="above 1000 bytes"):
            await client.health()


@pytest.mark.parametrize(
    "body",
    [
        {"timed_out": True, "hits": {}},
        {
            "_shards": {
                "total": 2,
                "failed": 1,
                "failures": [{"reason": {"type": "task_cancelled_exception"}}],
            }
        },
    ],
)
async def test_a_search_that_opensearch_gave_up_is_timed_out(body: dict[str, Any]) -> None:
    async with opensearch(always(body)) as client:
        with pytest.raises(TimedOut):
            await client.search("logs-*", {}, timeout_s=5)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_search_that_opensearch_cancelled_is_timed_out(status: int) -> None:
    async with opensearch(always(failure("task_cancelled_exception"), status)) as client:
        with pytest.raises(TimedOut):
            await client.search("logs-*", {}, timeout_s=5)


async def test_what_only_some_shards_found_is_not_shown() -> None:
    found = {"_shards": {"total": 2, "failed": 1}, "hits": {"total": {"value": 1}}, "count": 1}
    async with opensearch(always(found)) as client:
        with pytest.raises(Unavailable, match="1 of 2 shards"):
            await client.search("logs-*", {}, timeout_s=5)
        with pytest.raises(Unavailable, match="1 of 2 shards"):
            await client.count("logs-*")


async def test_a_query_that_is_refused_keeps_the_reason_out_of_the_message() -> None:
    async with opensearch(always(failure("parsing_exception"), 400)) as client:
        with pytest.raises(QueryRefused) as raised:
            await client.search("logs-*", {}, timeout_s=5)
    assert raised.value.reason == "it quotes 203.0.113.9"
    assert "203.0.113.9" not in str(raised.value)


async def test_every_request_is_signed_and_a_pattern_is_one_segment() -> None:
    seen: list[web.Request] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"count": 0})

    async with opensearch(keep) as client:
        await client.count("logs-*,other")

    assert seen[0].raw_path == ("/logs-%2A%2Cother/_count?allow_no_indices=true&ignore_unavailable=true")
    assert "/us-east-1/es/aws4_request" in seen[0].headers["Authorization"]


async def test_an_endpoint_may_have_a_path() -> None:
    seen: list[str] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.json_response({"status": "green"})

    async with answering(keep) as url, OpenSearch.open(f"{url}search/", "us-east-1") as client:
        await client.health()

    assert seen == ["/search/_cluster/health"]


async def test_without_credentials_it_is_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    async with opensearch(always({"status": "green"})) as client:
        with pytest.raises(Misconfigured):
            await client.health()


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        "search.example",
        "ftp://a",
        "http://",
        "http://a/?b=c",
        "http://a:70000",
        "http://[::1",
        "http://me:secret@a",
    ],
)
async def test_an_endpoint_that_is_none(endpoint: str | None) -> None:
    with pytest.raises(Misconfigured, match="has to be a URL"):
        async with OpenSearch.open(endpoint, "us-east-1"):
            pass


class Picky:
    """A bulk that is refused whole where it holds a document of these ids."""

    def __init__(self, refused: set[str], too_long: bool = False) -> None:
        self.requests = 0
        self.created: list[str] = []
        self._refused = refused
        self._too_long = too_long

    async def send(self, body: bytes) -> bytes:
        self.requests += 1
        assert len(body) <= bulk.MAX_REQUEST_BYTES
        ids = [json.loads(line)["create"]["_id"] for line in body.splitlines()[::2]]
        if self._refused.intersection(ids):
            raise WholeRefused("bulk", self._too_long)
        self.created += ids
        return json.dumps({"items": [CREATED] * len(ids)}).encode()


def numbered(count: int, body: bytes = b"{}") -> list[NewDocument]:
    return [NewDocument("logs", str(number), body) for number in range(count)]


@given(count=st.integers(1, 60), picks=st.sets(st.integers(0, 59), max_size=3))
async def test_one_that_opensearch_refuses_whole_is_found_and_all_others_created(
    count: int, picks: set[int]
) -> None:
    refused = {str(pick) for pick in picks if pick < count}
    picky = Picky(refused)

    outcomes = await bulk.create(numbered(count), picky.send)

    found = {str(at) for at, outcome in enumerate(outcomes) if isinstance(outcome, InvalidRecord)}
    assert found == refused
    assert picky.created == [str(number) for number in range(count) if str(number) not in refused]


async def test_one_that_is_too_long_for_a_domain_is_found() -> None:
    outcomes = await bulk.create(numbered(5), Picky({"3"}, too_long=True).send)

    assert [one.reason for one in outcomes if isinstance(one, InvalidRecord)] == ["too_large"]


async def test_refusals_without_end_are_no_documents_fault() -> None:
    picky = Picky({str(number) for number in range(1000)})

    with pytest.raises(Refused, match="each part"):
        await bulk.create(numbered(1000), picky.send)

    assert picky.requests == bulk.MAX_REFUSALS + 1


@given(sizes=st.lists(st.integers(0, 3_000_000), max_size=12))
async def test_requests_keep_their_limit_and_the_order(sizes: list[int]) -> None:
    picky = Picky(set())
    documents = [NewDocument("logs", str(at), b"x" * size) for at, size in enumerate(sizes)]

    assert await bulk.create(documents, picky.send) == [Effect.CREATED] * len(sizes)

    assert picky.created == [document.id for document in documents]
    assert picky.requests <= 1 + sum(sizes) // (bulk.MAX_REQUEST_BYTES - 3_000_100)


@pytest.mark.parametrize(
    ("standing", "wanted"),
    [
        ("true", "-a-*,+*"),
        ("false", "-a-*,-*"),
        ("-b-*,+*", "-a-*,-b-*,+*"),
        ("-b-*,-a-*,+*", "-b-*,-a-*,+*"),
        ("+b-*", "-a-*,+b-*"),
    ],
)
def test_rules_of_automatic_creation(standing: str, wanted: str) -> None:
    assert merged_rules("-a-*,+*", standing) == wanted


async def test_a_setting_that_others_keep_changing_is_given_up() -> None:
    layers = {"persistent": {"action": {"auto_create_index": "true"}}}
    async with opensearch(always(layers)) as client:
        with pytest.raises(Unavailable, match="does not stay"):
            await client.set_auto_create("-a-*,+*")
