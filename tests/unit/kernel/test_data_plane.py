"""The raw data plane beyond what the SDK's suite asks of both: clock, credentials, bounds, connections."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from aiohttp import web

from services.kernel.adapters import sdk
from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import Misconfigured, TimedOut, Unavailable
from services.kernel.streams.records import Failed, Stored
from tests.unit.kernel.test_sdk import answering

ITEM = {"a": {"S": "x"}}


class Service:
    """Answers from a list, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: web.Response) -> None:
        self.requests: list[web.Request] = []
        self._answers = answers

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        await request.read()
        answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def refusal(code: str, message: str, date_s: float) -> web.Response:
    body = json.dumps({"__type": code, "message": message}).encode()
    return web.Response(status=400, body=body, headers={"Date": formatdate(date_s, usegmt=True)})


@pytest.mark.parametrize("ahead_s", [-4000, 4000])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2026"),
        ("InvalidSignatureException", "Signature not yet current: 2026 is still later than 2026"),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large"),
    ],
)
async def test_a_wrong_clock_is_learned_and_the_call_sent_again(
    ahead_s: int, code: str, message: str
) -> None:
    service = Service(refusal(code, message, time.time() + ahead_s), web.Response(body=b"{}"))
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane="raw") as dynamodb,
    ):
        await dynamodb.put_item("orders", ITEM)
        await dynamodb.put_item("orders", ITEM)
    said = [request.headers["X-Amz-Date"] for request in service.requests]
    assert len(said) == 3  # the second call knows
    for stamp in said[1:]:
        expected_s = time.time() + ahead_s
        near = {time.strftime("%Y%m%dT%H%MZ", time.gmtime(expected_s + off_s)) for off_s in (-60, 0, 60)}
        assert stamp[:13] + "Z" in near


async def test_a_clock_that_stays_wrong_is_told_after_one_more_try() -> None:
    service = Service(refusal("InvalidSignatureException", "Signature expired", time.time() + 4000))
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane="raw") as dynamodb,
    ):
        with pytest.raises(Misconfigured):
            await dynamodb.put_item("orders", ITEM)
    assert len(service.requests) == 2


async def test_a_wrong_key_is_no_wrong_clock() -> None:
    message = "The request signature we calculated does not match the signature you provided"
    service = Service(refusal("InvalidSignatureException", message, time.time() + 4000))
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane="raw") as dynamodb,
    ):
        with pytest.raises(Misconfigured):
            await dynamodb.put_item("orders", ITEM)
    assert len(service.requests) == 1


async def test_credentials_are_asked_for_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "first-token")
    service = Service(web.Response(body=b"{}"))
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane="raw") as dynamodb,
    ):
        await dynamodb.put_item("orders", ITEM)
        refreshed = iter([SimpleNamespace(access_key="NEW", secret_key="new", token="new-token")])

        async def frozen() -> SimpleNamespace:
            return next(refreshed)

        assert dynamodb._plane is not None
        monkeypatch.setattr(dynamodb._plane._credentials, "get_frozen_credentials", frozen)
        await dynamodb.put_item("orders", ITEM)
    first, second = (request.headers for request in service.requests)
    assert first["X-Amz-Security-Token"] == "first-token"
    assert second["X-Amz-Security-Token"] == "new-token"
    assert "Credential=NEW/" in second["Authorization"]
    assert second["Accept-Encoding"] == "identity"


async def test_a_damaged_answer_is_none() -> None:
    right = web.Response(body=b"{}", headers={"x-amz-crc32": str(zlib.crc32(b"{}"))})
    service = Service(web.Response(body=b"{}", headers={"x-amz-crc32": "1"}), right)
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane="raw") as dynamodb,
    ):
        with pytest.raises(Unavailable):
            await dynamodb.put_item("orders", ITEM)
        await dynamodb.put_item("orders", ITEM)


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr("services.kernel.adapters.kinesis._MAX_GET_ANSWER_BYTES", 1000)

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        body = json.dumps({"Records": [], "NextShardIterator": "A" * 2000}).encode()
        if not chunked:
            return web.Response(body=body)
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(body)
        return answer

    async with answering(handle) as url, Kinesis.open(url, "us-east-1", data_plane="raw") as kinesis:
        with pytest.raises(Unavailable):
            await kinesis.get_records("A")
        monkeypatch.setattr("services.kernel.adapters.kinesis._MAX_GET_ANSWER_BYTES", 10_000)
        assert (await kinesis.get_records("A")).records == []


@pytest.mark.parametrize("plane", ["raw", "sdk"])
async def test_answers_of_the_engines_are_read_the_same(plane: str) -> None:
    put = {
        "FailedRecordCount": 1,
        "Records": [
            {"SequenceNumber": "7", "ShardId": "s", "ErrorCode": None, "ErrorMessage": None},
            {"ErrorCode": "InternalFailure", "ErrorMessage": "no"},
        ],
    }
    got: dict[str, object] = {
        "Records": [
            {
                "SequenceNumber": "7",
                "ApproximateArrivalTimestamp": 1700000000.123,
                "Data": "AAH/",
                "PartitionKey": "\u00fc",
                "EncryptionType": None,
            }
        ],
        "NextShardIterator": None,
        "MillisBehindLatest": 0,
        "ChildShards": [{"ShardId": "c", "ParentShards": ["s"], "HashKeyRange": {}}],
        "SomethingNew": {},
    }
    service = Service(
        web.Response(body=json.dumps(put).encode()), web.Response(body=json.dumps(got).encode())
    )
    async with answering(service.handle) as url, Kinesis.open(url, "us-east-1", data_plane=plane) as kinesis:
        stored, failed = await kinesis.put_records("orders", [(b"a", "k"), (b"b", "k")])
        fetch = await kinesis.get_records("A", shard_id="s")
    assert (stored, failed) == (Stored("s", 7), Failed("InternalFailure", "no"))
    (record,) = fetch.records
    assert (record.data, record.partition_key, record.arrived_at_ms) == (b"\x00\x01\xff", "ü", 1700000000123)
    assert (fetch.next_iterator, fetch.child_shards) == (None, ["c"])


@pytest.mark.parametrize("plane", ["raw", "sdk"])
async def test_the_old_item_of_a_failed_condition_has_its_bytes(plane: str) -> None:
    body = {"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": {"b": {"B": "AAH/"}}}
    service = Service(web.Response(status=400, body=json.dumps(body).encode()))
    async with (
        answering(service.handle) as url,
        DynamoDB.open(url, "us-east-1", data_plane=plane) as dynamodb,
    ):
        with pytest.raises(ConditionFailed) as raised:
            await dynamodb.put_item("orders", ITEM, condition="x", return_old_on_failure=True)
    assert raised.value.item == {"b": {"B": b"\x00\x01\xff"}}


async def test_connections_are_kept_and_bounded() -> None:
    ports: set[object] = set()
    busy = most = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal busy, most
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        busy += 1
        most = max(most, busy)
        await request.read()
        await asyncio.sleep(0)
        busy -= 1
        return web.Response(body=b"{}")

    async with (
        answering(handle) as url,
        DynamoDB.open(url, "us-east-1", max_connections=3, data_plane="raw") as dynamodb,
    ):
        await asyncio.gather(*(dynamodb.put_item("orders", ITEM) for _ in range(50)))
    assert most <= 3
    assert len(ports) <= 3


async def test_a_cancelled_or_late_answer_reaches_nobody() -> None:
    release = asyncio.Event()
    arrived = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        await request.read()
        arrived += 1
        if arrived <= 2:
            await release.wait()
            return web.Response(status=500, body=b'{"__type": "InternalServerError"}')
        return web.Response(body=b"{}")

    async with (
        answering(handle) as url,
        DynamoDB.open(url, "us-east-1", max_connections=1, read_timeout_s=0.3, data_plane="raw") as dynamodb,
    ):
        call = asyncio.ensure_future(dynamodb.put_item("orders", ITEM))
        while arrived == 0:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(TimedOut):
            await dynamodb.put_item("orders", ITEM)
        release.set()
        await dynamodb.put_item("orders", ITEM)


async def test_behind_a_proxy_and_by_wish_it_is_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kinesis.open("http://127.0.0.1:1", "us-east-1", data_plane="sdk") as kinesis:
        assert kinesis._plane is None
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    async with Kinesis.open("http://10.0.0.1:1", "us-east-1", data_plane="raw") as kinesis:
        assert kinesis._plane is None
    with pytest.raises(Misconfigured):
        async with Kinesis.open("http://127.0.0.1:1", "us-east-1", data_plane="fast"):
            pass


async def test_certificates_are_verified() -> None:
    trust = sdk.trust(sdk.new_session(), "https://kinesis.us-east-1.amazonaws.com")
    assert not isinstance(trust, bool)
    assert trust.check_hostname
    assert trust.get_ca_certs()
