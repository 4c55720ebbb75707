"""Every status code of the specification, from a real process over a real stream."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from services.kernel.core.tokens import Keys, sign
from tests.component.order_ingest.conftest import JSON, Gate, an_order, encoded
from tests.fault import faults
from tests.fault.proxy import FaultProxy

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


async def test_202_only_with_the_order_in_the_stream(gate: Gate) -> None:
    status, answer, headers = await gate.post(
        an_order("taken", lines=3), {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    )
    assert (status, answer) == (202, {"order_id": "taken", "lines": 3, "records": 1})
    assert headers["traceparent"].split("-")[1] == TRACE_ID
    (record,) = [record for record in await gate.records() if record.order_id == "taken"]
    assert record.source == "web"
    assert record.ordered_at == "2010-12-01T08:26:00.000Z"
    assert [line.line_id for line in record.lines] == ["1", "2", "3"]
    assert record.trace is not None
    assert record.trace.split("-")[1] == TRACE_ID


async def test_a_request_without_a_trace_gets_one(gate: Gate) -> None:
    for given in ({}, {"traceparent": "00-nonsense"}):
        _, _, headers = await gate.post(an_order("traced"), given)
        assert len(headers["traceparent"]) == 55


async def test_an_order_of_20000_lines_goes_through_whole_in_parts(gate: Gate) -> None:
    line = {"stock_code": "A", "quantity": 1, "unit_price": "1"}
    body = an_order("whole", lines=[line] * 20_000)
    assert len(encoded(body)) <= 1024 * 1024
    status, answer, _ = await gate.post(body)
    assert status == 202
    assert answer["lines"] == 20_000
    parts = [record for record in await gate.records() if record.order_id == "whole"]
    assert len(parts) == answer["records"] > 10
    assert sorted(int(line.line_id) for part in parts for line in part.lines) == list(range(1, 20_001))


async def test_a_repeat_makes_the_same_event_id(gate: Gate) -> None:
    for _ in range(2):
        assert (await gate.post(an_order("again")))[0] == 202
    found = [record for record in await gate.records() if record.order_id == "again"]
    assert len({record.event_id for record in found}) == 1


def chunked(body: bytes) -> Any:
    async def pieces() -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    return pieces()


LARGE = b'{"order_id":"' + b"x" * 1024 * 1024 + b'"}'
REFUSED: list[tuple[str, Any, dict[str, str], int, str]] = [
    ("no JSON", b"{", {}, 400, "invalid_json"),
    ("nothing", b"", {}, 400, "invalid_json"),
    ("deep", b"[" * 100_000, {}, 400, "invalid_json"),
    ("forged", an_order(), {"Authorization": "Bearer a.b.c"}, 401, "invalid_token"),
    ("basic", an_order(), {"Authorization": "Basic YTpi"}, 401, "invalid_token"),
    ("text", an_order(), {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ("gzip", an_order(), {"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
    ("large", LARGE, {}, 413, "too_large"),
    ("lines", an_order(lines=[0] * 20_001), {}, 413, "too_large"),
    ("contract", an_order(currency="pounds"), {}, 422, "contract_violation"),
]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_refused(gate: Gate, body: Any, headers: dict[str, str], status: int, code: str) -> None:
    given_status, answer, _ = await gate.post(body, headers)
    assert (given_status, answer["error"]["code"]) == (status, code)
    assert set(answer["error"]) == {"code", "message", "details"}


async def test_a_body_without_a_length_is_bounded_too(gate: Gate) -> None:
    assert (await gate.post(chunked(encoded(an_order("chunked")))))[0] == 202
    assert (await gate.post(chunked(LARGE)))[0] == 413


async def test_tokens_of_the_wrong_role_key_audience_or_time(gate: Gate) -> None:
    foreign = sign(Keys.generate("test").private_jwk, "web", "sender")
    cases = [
        (gate.security.token("customer", "17850"), 403),
        (gate.security.token("operator", "anna"), 403),
        (gate.sender(lifetime_s=-3600), 401),
        (gate.sender(audience="another"), 401),
        ({"Authorization": f"Bearer {foreign}"}, 401),
    ]
    for headers, status in cases:
        for path in ("/v1/orders", "/v1/orders:batch"):
            assert (await gate.post(an_order("never"), headers, path))[0] == status
    async with gate.session.post(gate.process.url + "/v1/orders", data=b"{}", headers=JSON) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not [record for record in await gate.records() if record.order_id == "never"]


async def test_other_paths_and_methods(gate: Gate) -> None:
    async with gate.session.get(gate.process.url + "/v1/orders") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with gate.session.get(gate.process.url + "/v2") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
    async with gate.session.get(gate.process.url + "/openapi.json") as answer:
        assert (answer.status, (await answer.json())["openapi"]) == (200, "3.1.0")


async def test_429_for_the_sender_that_is_too_fast_and_for_no_other(gate: Gate) -> None:
    async with gate.another(CADABRA_SENDER_ORDERS_PER_S="0.1") as slow:
        for _ in range(2):  # one is there, and one more may be overdrawn
            assert (await slow.post(an_order("rate-1")))[0] == 202
        status, answer, headers = await slow.post(an_order("rate-2"))
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        assert int(headers["Retry-After"]) >= 1
        assert (await slow.post(an_order("rate-3"), slow.sender("other")))[0] == 202
        samples = await slow.process.metrics()
        assert samples['cadabra_order_ingest_rate_limited_total{what="orders"}'] == 1
    async with gate.another(CADABRA_SENDER_BYTES_PER_S="1024") as slow:
        assert (await slow.post(an_order("rate-4", lines=40)))[0] == 202
        assert (await slow.post(an_order("rate-5")))[0] == 429


async def test_503_and_nothing_acknowledged_while_the_stream_is_away(gate: Gate) -> None:
    async with (
        FaultProxy(gate.environment["CADABRA_KINESIS_ENDPOINT"], seed=1) as proxy,
        gate.another(CADABRA_KINESIS_ENDPOINT=proxy.url, CADABRA_PUT_TIMEOUT_S="1") as cut_off,
    ):
        rule = proxy.add(faults.CutBefore(), operations={"PutRecords"})
        started_s = time.monotonic()
        status, answer, headers = await cut_off.post(an_order("away"))
        assert (status, answer["error"]["code"]) == (503, "timed_out")
        assert int(headers["Retry-After"]) >= 1
        assert time.monotonic() - started_s < 5
        _, lines, _ = await cut_off.post(encoded(an_order("away"), an_order("away")), path="/v1/orders:batch")
        assert [(line["order_id"], line["status"]) for line in lines] == [("away", 503)] * 2
        assert rule.hits > 0
        assert not [record for record in await gate.records() if record.order_id == "away"]
        rule.lift()
        assert (await cut_off.post(an_order("back")))[0] == 202


async def test_a_throttle_makes_it_slower_not_wrong(gate: Gate) -> None:
    async with (
        FaultProxy(gate.environment["CADABRA_KINESIS_ENDPOINT"], seed=1) as proxy,
        gate.another(CADABRA_KINESIS_ENDPOINT=proxy.url) as throttled,
    ):
        rule = proxy.add(faults.Throttle(), operations={"PutRecords"}, count=3)
        assert (await throttled.post(an_order("throttled")))[0] == 202
        assert rule.hits == 3


async def test_expect_100_continue_is_answered_before_the_body(gate: Gate) -> None:
    body = encoded(an_order("expected"))
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: {gate.sender()['Authorization']}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.process.ready["port"])
    writer.write(head.encode())
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 100 ")
    writer.write(body)
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 202 ")
    writer.close()


async def test_it_says_what_is_missing_at_the_start(gate: Gate) -> None:
    for settings, code in (({"CADABRA_NAMESPACE": "nowhere"}, 69), ({"CADABRA_JWKS_FILE": ""}, 78)):
        with pytest.raises(RuntimeError, match=f"exit code {code}"):
            async with gate.another(**settings):
                pass
