"""The writer as a process on the real engines: its README's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from contracts import codec
from tests.component.order_path import Client, OrderPath, Security, order_path, until
from tests.conftest import StartService
from tests.engines import Engines
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.orders import a_line, an_order, one_part

FAST = {"CADABRA_POLL_INTERVAL_S": "0.1", "CADABRA_LEASE_TIME_S": "2"}


@pytest.fixture
async def path(engines: Engines, namespace: str) -> AsyncIterator[OrderPath]:
    async with order_path(engines, namespace) as made:
        yield made


async def test_an_order_from_stream_to_history(
    path: OrderPath, start_service: StartService, tmp_path: Path
) -> None:
    """One of 20,000 lines in parts among small ones: each is one order by GET, every line once."""
    security = Security.make(tmp_path)
    writer = await start_service("dynamodb_writer", **FAST)
    storefront = await start_service("storefront", **security.settings)
    lines = [a_line(str(at), quantity=at % 7 - 1, description="Ü" * 20) for at in range(1, 20_001)]
    long = an_order("long", lines)
    assert len(long) > 10
    guest, small = one_part("guest", customer_id=None), one_part("small")
    await path.send([*long, guest, small])

    async def all_stored() -> bool:
        counts = [len(await path.stored(order_id)) for order_id in ("long", "guest", "small")]
        return counts == [len(long), 1, 1]

    await until(all_stored, "three orders stored", 60)
    async with aiohttp.ClientSession() as session:
        client = Client(session, storefront.url)
        operator = security.token("operator", "anna")
        status, order = await client.get("/v1/orders/long", operator)
        assert status == 200
        assert [line["line_id"] for line in order["lines"]] == [line.line_id for line in lines]
        assert order["total"] == f"{sum(line.quantity for line in lines) * 255 / 100:.2f}"
        assert (await client.get("/v1/orders/guest", operator))[1]["customer_id"] is None

        async def history() -> list[str]:
            page = (await client.get("/v1/customers/17850/orders", operator))[1]
            found = [one["order_id"] for one in page["orders"]]
            if page["next_cursor"]:
                more = await client.get(f"/v1/customers/17850/orders?cursor={page['next_cursor']}", operator)
                found += [one["order_id"] for one in more[1]["orders"]]
            return found if len(found) == 2 else []

        assert await until(history, "both in the customer's history") == ["small", "long"]
    metrics = await writer.metrics()
    assert metrics["cadabra_dynamodb_writer_inserted_first_parts_total"] == 3
    assert metrics["cadabra_dynamodb_writer_inserted_further_parts_total"] == len(long) - 1
    assert metrics["cadabra_dynamodb_writer_stream_to_store_seconds_count"] == len(long) + 2
    writer.terminate()
    assert await writer.wait() == 0


async def test_poison_goes_to_rejected_with_reason_and_bytes_and_its_shard_goes_on(
    path: OrderPath, start_service: StartService
) -> None:
    await start_service("dynamodb_writer", **FAST)
    good = one_part("after")
    key = "shop/after"
    junk = b"\xff\xfe not json"
    broken = codec.encode(one_part("broken")).replace(b'"GBP"', b'"pounds"')
    first = await path.put(junk, key)
    second = await path.put(broken, key)
    (third,) = await path.send([good])
    assert first.shard_id == second.shard_id == third.shard_id
    await until(lambda: path.stored("after"), "the record behind the poison is stored")
    letters = {letter["reason"]: letter for letter in await path.rejected()}
    assert letters.keys() == {"invalid_json", "contract_violation"}
    assert letters["invalid_json"]["data"] == junk
    assert letters["contract_violation"]["data"] == broken
    assert [detail["pointer"] for detail in letters["contract_violation"]["details"]] == ["/currency"]
    assert letters["contract_violation"]["sequence_number"] == str(second.sequence_number)
    assert letters["contract_violation"]["shard_id"] == second.shard_id
    assert letters["contract_violation"]["service"] == "dynamodb_writer"
    assert await path.stored("broken") == []


async def test_a_conflicting_resend_is_rejected_and_the_first_content_stays(
    path: OrderPath, start_service: StartService, tmp_path: Path
) -> None:
    security = Security.make(tmp_path)
    writer = await start_service("dynamodb_writer", **FAST)
    storefront = await start_service("storefront", **security.settings)
    first, resend = one_part("1"), one_part("1", [a_line("1", quantity=60)])
    sent = await path.send([first, resend, first])
    letters = await until(path.rejected, "the loser is in rejected")
    assert [letter["reason"] for letter in letters] == ["conflicting_duplicate"]
    assert letters[0]["data"] == codec.encode(resend)
    assert letters[0]["sequence_number"] == str(sent[1].sequence_number)
    assert [detail["pointer"] for detail in letters[0]["details"]] == ["/lines/0"]
    async with aiohttp.ClientSession() as session:
        status, order = await Client(session, storefront.url).get(
            "/v1/orders/1", security.token("customer", "17850")
        )
    assert (status, [line["quantity"] for line in order["lines"]]) == (200, [6])

    async def repeated() -> bool:
        return (await writer.metrics())["cadabra_dynamodb_writer_repeated_parts_total"] == 1

    await until(repeated, "the repeat is counted")


async def test_a_killed_writers_successor_repeats_harmlessly(
    path: OrderPath, start_service: StartService
) -> None:
    """The first writes no checkpoint and no heartbeat, so that the second gets everything again."""
    silent = {"CADABRA_CHECKPOINT_INTERVAL_S": "60", "CADABRA_LEASE_TIME_S": "300"}
    first = await start_service("dynamodb_writer", **(FAST | silent))
    orders = [one_part(f"o{at}") for at in range(50)]
    await path.send([*orders, one_part("o7", [a_line("1", quantity=9)])])

    async def stored() -> bool:
        return len(await path.rejected()) == 1 and bool(await path.stored("o49"))

    await until(stored, "everything written once")
    first.kill9()
    second = await start_service("dynamodb_writer", **FAST)

    async def repeated() -> bool:
        return (await second.metrics())["cadabra_dynamodb_writer_repeated_parts_total"] == 51

    await until(repeated, "everything handled again", 30)
    assert [len(await path.stored(f"o{at}")) for at in (6, 7, 8)] == [1, 2, 1]
    assert len(await path.rejected()) == 1


async def test_an_outage_longer_than_the_lease_and_a_throttled_hour_lose_and_reject_nothing(
    path: OrderPath, start_service: StartService, engines: Engines
) -> None:
    """DynamoDB, leases included, is away for two lease times, then throttles every other put."""
    async with FaultProxy(engines.dynamodb) as proxy:
        settings = {**FAST, "CADABRA_DYNAMODB_ENDPOINT": proxy.url}
        writer = await start_service("dynamodb_writer", **settings)
        outage = proxy.outage(duration_s=4.0)
        orders = [one_part(f"o{at}") for at in range(60)]
        await path.send(orders)
        await until(lambda: _true(not outage.active), "the outage is over")
        assert outage.hits > 5
        assert await path.stored("o0") == []
        part = faults.PartialInsert(0.5)
        proxy.add(part, faults.INSERTS, resource="order_history")
        throttle = proxy.add(faults.Throttle(), faults.INSERTS, resource="order_history", probability=0.5)
        await until(lambda: _all_stored(path, 60), "all stored", 60)
        assert throttle.hits > 2
        assert part.failed > 2
        assert writer.running
        assert await path.rejected() == []
        throttle.lift()
        writer.terminate()
        assert await writer.wait() == 0


async def _true(found: bool) -> bool:
    return found


async def _all_stored(path: OrderPath, count: int) -> bool:
    counts = [len(await path.stored(f"o{at}")) for at in range(count)]
    return counts == [1] * count
