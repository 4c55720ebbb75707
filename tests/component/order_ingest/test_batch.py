"""A batch: streamed both ways, in order, bounded."""

from __future__ import annotations

import asyncio
import json

from services.order_ingest.body import MAX_BODY_BYTES
from tests.component.order_ingest.conftest import Gate, an_order, encoded
from tests.component.order_path import until

BATCH = "/v1/orders:batch"


def head(gate: Gate) -> bytes:
    return (
        f"POST {BATCH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: {gate.sender()['Authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def read_answer(reader: asyncio.StreamReader) -> str:
    """One chunk of the answer."""
    size = int(await reader.readline(), 16)
    return (await reader.readexactly(size + 2)).decode()


async def test_every_order_is_answered_in_its_place(gate: Gate) -> None:
    body = b"\n".join(
        [
            encoded(an_order("b1")),
            b"{",
            b"",
            b'{"order_id":"b3"}',
            b'"' + b"x" * MAX_BODY_BYTES + b'"',
            encoded(an_order("b5", lines=3)),
        ]
    )
    status, lines, headers = await gate.post(body, path=BATCH)
    assert (status, len(headers["traceparent"])) == (200, 55)
    assert [(line.get("order_id"), line["status"]) for line in lines] == [
        ("b1", 202),
        (None, 400),
        ("b3", 422),
        (None, 413),
        ("b5", 202),
    ]
    assert lines[2]["error"]["details"][0]["pointer"] == "/ordered_at"
    assert {"b1", "b5"} <= {record.order_id for record in await gate.records()}


async def test_an_answer_comes_while_the_batch_is_open(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.process.ready["port"])
    writer.write(head(gate))
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 200 ")
    for number in range(3):
        writer.write(chunk(encoded(an_order(f"live-{number}")) + b"\n"))
        answer = json.loads(await asyncio.wait_for(read_answer(reader), 20))
        assert answer == {"order_id": f"live-{number}", "status": 202}
    writer.write(b"0\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10) == b"0\r\n\r\n"
    writer.close()


async def test_a_client_that_does_not_read_is_not_read_and_then_cut_off(gate: Gate) -> None:
    async with gate.another(CADABRA_WRITE_TIMEOUT_S="1.5", CADABRA_BATCH_WINDOW_ORDERS="10") as small:
        reader, writer = await asyncio.open_connection("127.0.0.1", small.process.ready["port"], limit=1)
        writer.write(head(small))
        bad = chunk(b'{"order_id":"x"}\n' * 1000)  # an answer is thirty times as long as such a line
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                writer.write(bad)
                await writer.drain()
                sent += 1

        sending = asyncio.create_task(send())
        before = -1

        async def stands_still() -> bool:
            nonlocal before
            before, last = sent, before
            await asyncio.sleep(0.2)
            return sent == last == before

        await until(stands_still, "the client is no longer read")
        samples = await small.process.metrics()
        assert samples['cadabra_order_ingest_orders_total{status="422",way="batch"}'] < 200_000
        assert samples["cadabra_order_ingest_in_flight_bytes"] <= 4 * 1024 * 1024

        async def cut_off() -> bool:
            return (await small.process.metrics()).get('cadabra_order_ingest_closed_total{why="write"}') == 1

        await until(cut_off, "the client is cut off")
        await asyncio.wait([sending], timeout=10)
        assert isinstance(sending.exception(), ConnectionError)
        writer.transport.abort()
        assert reader is not None


async def test_a_fast_sender_is_slowed_not_refused(gate: Gate) -> None:
    async with gate.another(CADABRA_SENDER_ORDERS_PER_S="20") as slow:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        _, lines, _ = await slow.post(encoded(*(an_order(f"p{n}") for n in range(80))), path=BATCH)
        assert [line["status"] for line in lines] == [202] * 80
        assert loop.time() - started_s > 1.5  # 40 at once, 40 more at 20 a second


async def test_a_batch_that_stops_ends_with_a_line_that_says_so(gate: Gate) -> None:
    async with gate.another(CADABRA_BATCH_IDLE_S="0.5") as hasty:
        answer = await hasty.raw(head(hasty) + chunk(encoded(an_order("idle")) + b"\n"), 20)
        assert b'{"order_id":"idle","status":202}' in answer
        assert b'"status": 408' in answer
        assert answer.endswith(b"0\r\n\r\n")


async def test_many_orders_keep_their_order(gate: Gate) -> None:
    names = [f"m{number}" for number in range(1200)]
    _, lines, _ = await gate.post(encoded(*map(an_order, names)), path=BATCH)
    assert [line["order_id"] for line in lines] == names
    assert {line["status"] for line in lines} == {202}
