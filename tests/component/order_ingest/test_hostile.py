"""Slow and hostile clients cost little."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.component.order_ingest.conftest import Gate, an_order, encoded

MIB = 1024 * 1024
LIMIT_BYTES = 16 * MIB
PUTS = 2


def rss_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def post(gate: Gate, length: int, body: bytes = b"") -> bytes:
    head = (
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\nAuthorization: {gate.sender()['Authorization']}\r\n\r\n"
    )
    return head.encode() + body


async def test_slow_and_silent_connections_are_closed_in_time(gate: Gate) -> None:
    async with gate.another(
        CADABRA_HEAD_TIMEOUT_S="1", CADABRA_BODY_GRACE_S="1", CADABRA_IDLE_TIMEOUT_S="1.5"
    ) as hasty:
        started_s = time.monotonic()
        silent, half, body, idle = await asyncio.gather(
            hasty.raw(b""),
            hasty.raw(b"POST /v1/orders HTTP/1.1\r\nX-Slow: "),
            hasty.raw(post(hasty, 1000, b'{"order_id":')),
            hasty.raw(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"),
        )
        assert time.monotonic() - started_s < 8
        assert silent == b""
        assert half.startswith(b"HTTP/1.1 408 ")
        assert body.startswith(b"HTTP/1.1 408 ")
        assert b"too_slow" in body
        assert idle.startswith(b"HTTP/1.1 200 ")
        samples = await hasty.process.metrics()
        assert samples['cadabra_order_ingest_closed_total{why="head"}'] == 2
        assert samples['cadabra_order_ingest_closed_total{why="body"}'] == 1


async def test_a_head_that_drips_is_closed_in_time(gate: Gate) -> None:
    async with gate.another(CADABRA_HEAD_TIMEOUT_S="1") as hasty:
        reader, writer = await asyncio.open_connection("127.0.0.1", hasty.process.ready["port"])
        writer.write(b"POST /v1/orders HTTP/1.1\r\nX-Drip: ")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        assert (await asyncio.wait_for(reader.read(), 6)).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()
        writer.close()


async def test_heads_that_are_too_large_or_no_http(gate: Gate) -> None:
    cases = [
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(100)) + b"\r\n", 400),
        (b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345", 400),
        (b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
    ]
    for request, status in cases:
        answer = await gate.raw(request)
        assert int(answer.split(b" ")[1]) == status, (request[:40], answer)
        assert b"aiohttp" not in answer
    assert (await gate.post(an_order("after")))[0] == 202
    assert not [line for line in gate.process.log_lines() if line.get("level") == "ERROR"]


async def test_connections_past_the_limit_are_refused(gate: Gate) -> None:
    async with gate.another(CADABRA_MAX_CONNECTIONS="5") as small:
        held = [await asyncio.open_connection("127.0.0.1", small.process.ready["port"]) for _ in range(5)]
        assert (await small.raw(b"")).startswith(b"HTTP/1.1 503 ")
        for _, writer in held:
            writer.close()
        samples = await small.process.metrics()
        assert samples['cadabra_order_ingest_closed_total{why="limit"}'] == 1


async def test_memory_stays_bounded_under_200_bodies_of_a_mebibyte(gate: Gate) -> None:
    # The shortest lines there are: their records grow most, to 2.6 times the body.
    body = encoded(an_order("heavy", lines=[{"stock_code": "A", "quantity": 1, "unit_price": "1"}] * 20_000))
    assert 0.9 * MIB < len(body) <= MIB
    async with gate.another(
        CADABRA_MAX_IN_FLIGHT_BYTES=str(LIMIT_BYTES),
        CADABRA_PUT_CONCURRENCY=str(PUTS),
        CADABRA_SENDER_BYTES_PER_S="1e9",
        CADABRA_PUT_TIMEOUT_S="30",
    ) as small:
        assert (await small.post(an_order("warm")))[0] == 202
        before = rss_bytes(small.process.pid)
        highest, in_flight = 0, 0.0

        async def watch() -> None:
            nonlocal highest, in_flight
            while True:
                highest = max(highest, rss_bytes(small.process.pid))
                samples = await small.process.metrics()
                in_flight = max(in_flight, samples["cadabra_order_ingest_in_flight_bytes"])
                assert samples["cadabra_order_ingest_in_flight_limit_bytes"] == LIMIT_BYTES
                await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(*(small.post(body) for _ in range(200)))
        watching.cancel()
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {202, 503}
        assert all("Retry-After" in headers for status, _, headers in answers if status == 503)
        assert 0 < in_flight <= LIMIT_BYTES
        print(f"RSS {before / MIB:.0f} -> {highest / MIB:.0f} MiB, in flight {in_flight / MIB:.1f} MiB")
        # The formula of the README, without its base.
        assert highest - before <= 1.5 * LIMIT_BYTES + 8 * PUTS * MIB + 200 * 256 * 1024
        assert (await small.process.metrics())["cadabra_order_ingest_in_flight_bytes"] == 0
