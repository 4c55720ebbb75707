"""What S3 may answer to a call, and which word of ours it becomes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.kernel.adapters.s3 import S3, AlreadyThere
from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)

SECRET = "do-not-repeat-me"
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
PUTS: dict[str, tuple[int, type[CadabraError]]] = {
    "SlowDown": (503, Throttled),
    "ServiceUnavailable": (503, Unavailable),
    "InternalError": (500, Unavailable),
    "OperationAborted": (409, Unavailable),
    "ConditionalRequestConflict": (409, Unavailable),
    "RequestTimeout": (400, TimedOut),
    "ExpiredToken": (400, Unavailable),
    "PreconditionFailed": (412, AlreadyThere),
    "NoSuchBucket": (404, MissingResource),
    "AccessDenied": (403, Misconfigured),
    "AllAccessDisabled": (403, Misconfigured),
    "InvalidAccessKeyId": (403, Misconfigured),
    "SignatureDoesNotMatch": (403, Misconfigured),
    "RequestTimeTooSkewed": (403, Misconfigured),
    "AuthorizationHeaderMalformed": (400, Misconfigured),
    "EntityTooLarge": (400, Refused),
    "BadDigest": (400, Refused),
}
HEADS: dict[int, type[CadabraError] | None] = {
    404: None,
    403: Misconfigured,
    503: Unavailable,
    429: Throttled,
}


class Refusing:
    """An S3 that answers every call with one error."""

    def __init__(self) -> None:
        self.code = ""
        self.status = 400
        self.calls = 0

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.calls += 1
        if request.method == "HEAD":
            return web.Response(status=self.status)
        body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>{SECRET}</Message></Error>"
        return web.Response(status=self.status, text=body, content_type="application/xml")


@pytest.fixture
async def refusing() -> AsyncIterator[tuple[Refusing, S3]]:
    service = Refusing()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    server = TestServer(app)
    await server.start_server()
    try:
        async with S3.open(str(server.make_url("/")).rstrip("/"), "us-east-1") as s3:
            yield service, s3
    finally:
        await server.close()


@pytest.mark.parametrize("code", PUTS)
async def test_a_put_that_is_refused(code: str, refusing: tuple[Refusing, S3]) -> None:
    service, s3 = refusing
    service.code, (service.status, expected) = code, PUTS[code]
    with pytest.raises(expected) as raised:
        await s3.put("lake", "key", b"x")
    assert type(raised.value) is expected
    assert "put_object lake" in str(raised.value)
    if expected in (Throttled, Unavailable, TimedOut, Refused, AlreadyThere):
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize("status", HEADS)
async def test_a_head_says_why_by_its_status_alone(status: int, refusing: tuple[Refusing, S3]) -> None:
    service, s3 = refusing
    service.status, expected = status, HEADS[status]
    if expected is None:
        assert await s3.head("lake", "key") is None
        assert not await s3.bucket_exists("lake")
        return
    with pytest.raises(expected):
        await s3.head("lake", "key")
    with pytest.raises(expected):
        await s3.bucket_exists("lake")


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "ServiceUnavailable"])
async def test_nothing_is_tried_again_here(code: str, refusing: tuple[Refusing, S3]) -> None:
    service, s3 = refusing
    service.code, service.status = code, 503
    with pytest.raises((Throttled, Unavailable)):
        await s3.put("lake", "key", b"x")
    assert service.calls == 1


async def test_an_answer_that_is_cut_is_no_object() -> None:
    async def half(_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "ETag": '"x"'})
        await response.prepare(_request)
        await response.write(b"x" * 500)
        assert _request.transport is not None
        _request.transport.abort()
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", half)
    server = TestServer(app)
    await server.start_server()
    try:
        async with S3.open(str(server.make_url("/")).rstrip("/"), "us-east-1") as s3:
            with pytest.raises(Unavailable):
                await s3.get("lake", "key", max_bytes=1_000)
    finally:
        await server.close()


async def test_an_s3_that_nobody_answers_for() -> None:
    async with S3.open("http://127.0.0.1:1", "us-east-1") as s3:
        with pytest.raises(Unavailable):
            await s3.put("lake", "key", b"x")
