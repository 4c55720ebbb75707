"""SIGTERM under load: what was acknowledged is in the stream, and the process ends with 0."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from tests.component.order_ingest.conftest import Gate, an_order, encoded
from tests.component.order_ingest.test_batch import chunk, head
from tests.component.order_path import until

CLIENTS = 8


async def test_sigterm_under_load_loses_no_acknowledged_order(gate: Gate) -> None:
    async with gate.another() as ending:
        acknowledged: list[str] = []
        open_requests = 0

        async def client(number: int) -> None:
            nonlocal open_requests
            for turn in range(10_000):
                order_id = f"drain-{number}-{turn}"
                open_requests += 1
                try:
                    status, _, _ = await ending.post(an_order(order_id))
                except aiohttp.ClientError:
                    return
                finally:
                    open_requests -= 1
                if status == 202:
                    acknowledged.append(order_id)

        clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]

        async def under_load() -> bool:
            return len(acknowledged) >= 3 * CLIENTS and open_requests == CLIENTS

        await until(under_load, "orders are acknowledged", 60)
        ending.process.terminate()
        assert await ending.process.wait() == 0
        await asyncio.wait_for(asyncio.gather(*clients), 30)
        assert set(acknowledged) <= {record.order_id for record in await gate.records()}


async def test_a_batch_is_answered_for_all_that_was_read_and_told_the_end(gate: Gate) -> None:
    async with gate.another() as ending:
        reader, writer = await asyncio.open_connection("127.0.0.1", ending.process.ready["port"])
        writer.write(head(ending) + chunk(encoded(an_order("bd1"), an_order("bd2")) + b"\n"))

        async def read() -> bool:
            taken = (await ending.process.metrics()).get("cadabra_order_ingest_body_bytes_total", 0)
            return taken > 2 * len(encoded(an_order("bd1"))) - 1

        await until(read, "both orders are read")
        ending.process.terminate()
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        lines = [json.loads(line) for line in answer.splitlines() if line.startswith(b"{")]
        assert [(line.get("order_id"), line["status"]) for line in lines] == [
            ("bd1", 202),
            ("bd2", 202),
            (None, 503),
        ]
        assert lines[-1]["error"]["code"] == "draining"
        assert await ending.process.wait() == 0


async def test_resting_connections_do_not_hold_the_end_up(gate: Gate) -> None:
    async with gate.another() as ending:
        held = [await asyncio.open_connection("127.0.0.1", ending.process.ready["port"]) for _ in range(3)]
        assert await ending.process.is_ready()
        ending.process.terminate()
        assert await ending.process.wait(10) == 0
        for _, writer in held:
            writer.close()
