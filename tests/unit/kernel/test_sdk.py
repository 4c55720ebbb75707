"""What the SDK raises becomes one of our words, and what the other side says never quotes a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.exceptions import ClientError

from services.kernel.adapters import sdk
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import ExpiredIterator, Kinesis
from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)

SECRET = "4111-1111-1111-1111"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CODES: dict[str, tuple[int, type[CadabraError]]] = {
    "ProvisionedThroughputExceededException": (400, Throttled),
    "LimitExceededException": (400, Throttled),
    "ThrottlingException": (400, Throttled),
    "RequestLimitExceeded": (400, Throttled),
    "TransactionConflictException": (400, Throttled),
    "KMSThrottlingException": (400, Throttled),
    "SomethingNew": (429, Throttled),
    "InternalServerError": (500, Unavailable),
    "InternalFailure": (500, Unavailable),
    "SomethingElseNew": (503, Unavailable),
    "ResourceInUseException": (400, Unavailable),
    "ExpiredTokenException": (400, Unavailable),
    "AccessDeniedException": (400, Misconfigured),
    "UnrecognizedClientException": (400, Misconfigured),
    "InvalidSignatureException": (400, Misconfigured),
    "ResourceNotFoundException": (400, MissingResource),
    "ValidationException": (400, Refused),
    "SerializationException": (400, Refused),
}


@pytest.fixture(scope="module", params=["raw", "sdk"])
def plane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", handler)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("/")).rstrip("/")
    finally:
        await server.close()


class Refusing:
    """A service that refuses every call, with clients of it: opening those costs more than the calls."""

    def __init__(self) -> None:
        self.code = ""
        self.status = 400
        self.kinesis: Kinesis
        self.dynamodb: DynamoDB

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        body = {"__type": f"com.amazonaws#{self.code}", "message": SECRET}
        return web.json_response(body, status=self.status, content_type="application/x-amz-json-1.1")


@pytest.fixture(scope="module")
async def refusing(plane: str) -> AsyncIterator[Refusing]:
    service = Refusing()
    async with (
        answering(service.handle) as url,
        Kinesis.open(url, "us-east-1", data_plane=plane) as service.kinesis,
        DynamoDB.open(url, "us-east-1", data_plane=plane) as service.dynamodb,
    ):
        yield service


@pytest.mark.parametrize("code", CODES)
async def test_a_code_becomes_a_word_of_ours(code: str, refusing: Refusing) -> None:
    refusing.code = code
    refusing.status, expected = CODES[code]
    with pytest.raises(expected) as raised:
        await refusing.kinesis.put_records("orders", [(b"x", "key")])
    assert type(raised.value) is expected
    # Of a wrong permission or a missing name the service's own words are worth more than they risk.
    assert (SECRET in str(raised.value)) == (expected in (Misconfigured, MissingResource))
    with pytest.raises(expected):
        await refusing.dynamodb.put_item("orders", {"a": {"S": "x"}})


@pytest.mark.parametrize("code", ["ExpiredIteratorException", "InvalidArgumentException"])
async def test_an_iterator_that_is_over(code: str, refusing: Refusing) -> None:
    refusing.code, refusing.status = code, 400
    with pytest.raises(ExpiredIterator):
        await refusing.kinesis.get_records("AAAA")


async def test_each_call_is_sent_once(plane: str) -> None:
    calls = 0

    async def handle(_request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return web.json_response({"__type": "InternalFailure"}, status=500)

    async with answering(handle) as url, Kinesis.open(url, "us-east-1", data_plane=plane) as kinesis:
        with pytest.raises(Unavailable):
            await kinesis.put_records("orders", [(b"x", "key")])
    assert calls == 1


async def test_nobody_listens(plane: str) -> None:
    async with Kinesis.open("http://127.0.0.1:1", "us-east-1", data_plane=plane) as kinesis:
        with pytest.raises(Unavailable):
            await kinesis.list_shards("orders")
        with pytest.raises(Unavailable):
            await kinesis.put_records("orders", [(b"x", "key")])


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cut_in_the_answer(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"Records": [')
    assert request.transport is not None
    request.transport.abort()
    return answer


async def _page_of_a_load_balancer(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")


async def _success_without_words(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="{}")


async def _success_of_no_json(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>")


@pytest.mark.parametrize(
    "handler",
    [_cut, _cut_in_the_answer, _page_of_a_load_balancer, _success_without_words, _success_of_no_json],
)
async def test_an_answer_that_is_none_is_unavailable(handler: Handler, plane: str) -> None:
    async with answering(handler) as url, Kinesis.open(url, "us-east-1", data_plane=plane) as kinesis:
        with pytest.raises(Unavailable):
            await kinesis.put_records("orders", [(b"x", "key")])
        with pytest.raises(Unavailable):
            await kinesis.get_records("AAAA")


async def test_no_answer_in_time(plane: str) -> None:
    release = asyncio.Event()

    async def handle(_request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with (
        answering(handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane=plane, read_timeout_s=0.2) as dynamodb,
    ):
        with pytest.raises(TimedOut):
            await dynamodb.put_item("orders", {"a": {"S": "x"}})
        release.set()


async def test_credentials_that_are_not_there(plane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    async with Kinesis.open("http://127.0.0.1:1", "us-east-1", data_plane=plane) as kinesis:
        with pytest.raises(Misconfigured):
            await kinesis.list_shards("orders")
        with pytest.raises(Misconfigured):
            await kinesis.put_records("orders", [(b"x", "key")])


async def test_an_endpoint_that_is_no_url(plane: str) -> None:
    with pytest.raises(Misconfigured):
        async with Kinesis.open("not a url", "us-east-1", data_plane=plane):
            pass


def test_the_cause_stays_for_whoever_debugs() -> None:
    error = ClientError({"Error": {"Code": "ValidationException", "Message": SECRET}}, "PutItem")
    assert sdk.error_code(error) == "ValidationException"
    assert SECRET not in str(sdk.translate(error, "put_item orders"))
