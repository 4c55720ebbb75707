"""The storefront as a process on the real DynamoDB: pages, cursors, totals, limits, outages."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import aiohttp
import pytest

from tests import processes
from tests.component.order_path import Client, until
from tests.component.storefront.conftest import Shop
from tests.engines import Engines
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.orders import TIME, a_line, an_order, one_part


def new_id() -> str:
    return uuid.uuid4().hex[:12]


async def read_all(shop: Shop, customer: str, limit: int) -> list[list[dict[str, Any]]]:
    pages, query = [], f"limit={limit}"
    while True:
        status, page = await shop.client.get(f"/v1/customers/{customer}/orders?{query}", shop.operator())
        assert status == 200, page
        pages.append(page["orders"])
        if page["next_cursor"] is None:
            return pages
        query = f"limit={limit}&cursor={page['next_cursor']}"


async def listed(shop: Shop, customer: str, count: int, limit: int) -> list[list[dict[str, Any]]]:
    """All pages, once the index has caught up."""

    async def pages() -> list[list[dict[str, Any]]] | None:
        found = await read_all(shop, customer, limit)
        return found if sum(map(len, found)) == count else None

    found: list[list[dict[str, Any]]] = await until(pages, f"{count} orders in the history")
    return found


async def test_an_order_is_shown_as_the_api_says(shop: Shop) -> None:
    order_id, customer = new_id(), new_id()
    lines = [a_line("2", unit_price="0.125"), a_line("10", quantity=-1), a_line("1", description=None)]
    await shop.store([one_part(order_id, lines, customer_id=customer, kind="cancellation")])
    expected = {
        "order_id": order_id,
        "source": "shop",
        "ordered_at": TIME,
        "kind": "cancellation",
        "customer_id": customer,
        "country": "United Kingdom",
        "currency": "GBP",
        "total": "13.500",
        "lines": [
            {name: getattr(line, name) for name in line.__struct_fields__}
            for line in (lines[2], lines[0], lines[1])
        ],
    }
    assert await shop.client.get(f"/v1/orders/{order_id}", shop.operator()) == (200, expected)
    assert await listed(shop, customer, 1, 20) == [[expected]]


async def test_ties_in_time_and_parts_at_several_times_page_without_loss(shop: Shop) -> None:
    customer = new_id()
    parts = []
    for at in range(9):
        parts.append(one_part(f"{customer}-{at}", customer_id=customer))
    later = "2011-11-21T10:00:00.000Z"
    earlier = "2011-11-19T10:00:00.000Z"
    spread = f"{customer}-spread"
    for number, moment in enumerate([later, TIME, earlier, later]):
        parts.append(one_part(spread, [a_line(str(number), ordered_at=moment)], customer_id=customer))
    newest = f"{customer}-newest"
    parts.append(one_part(newest, [a_line(ordered_at=later)], customer_id=customer))
    await shop.store(parts)
    expected = [newest, *(f"{customer}-{at}" for at in reversed(range(9))), spread]
    for limit in (1, 2, 3, 100):
        pages = await listed(shop, customer, 11, limit)
        assert [order["order_id"] for page in pages for order in page] == expected
        assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1][-1]["ordered_at"] == earlier
    assert len(pages[-1][-1]["lines"]) == 4


async def test_a_page_ends_at_a_mebibyte_and_never_inside_an_order(shop: Shop) -> None:
    customer = new_id()
    lines = [a_line(str(at), description="D" * 500) for at in range(600)]
    orders = [an_order(f"{customer}-{at}", lines, customer_id=customer) for at in range(4)]
    huge = an_order(
        f"{customer}-huge",
        [*lines, *(a_line(f"x{at}", description="D" * 900) for at in range(1200))],
        customer_id=customer,
    )
    await shop.store([part for parts in [*orders, huge] for part in parts])
    pages = await listed(shop, customer, 5, 100)
    assert [[order["order_id"].removeprefix(customer) for order in page] for page in pages] == [
        ["-huge"],
        ["-3", "-2"],
        ["-1", "-0"],
    ]
    assert len(pages[0][0]["lines"]) == 1800


async def test_a_part_that_names_another_customer_shows_the_order_to_its_owner_only(shop: Shop) -> None:
    order_id, owner, other = new_id(), new_id(), new_id()
    await shop.store(
        [
            one_part(order_id, [a_line("1")], customer_id=owner),
            one_part(order_id, [a_line("2")], customer_id=other),
        ]
    )
    pages = await listed(shop, owner, 1, 20)
    assert len(pages[0][0]["lines"]) == 2
    assert await read_all(shop, other, 20) == [[]]
    assert (await shop.client.get(f"/v1/orders/{order_id}", shop.customer(other)))[0] == 403


async def test_two_senders_of_one_number_are_named(shop: Shop) -> None:
    order_id, customer = new_id(), new_id()
    await shop.store(
        [
            one_part(order_id, source="shop-a", customer_id=customer),
            one_part(order_id, source="shop-b", customer_id=customer),
            one_part(order_id, source="shop-c", customer_id=new_id()),
        ]
    )
    status, answer = await shop.client.get(f"/v1/orders/{order_id}", shop.operator())
    assert (status, answer["error"]["code"]) == (409, "ambiguous")
    named = [detail["reason"] for detail in answer["error"]["details"]]
    assert named == ["shop-a", "shop-b", "shop-c"]
    status, answer = await shop.client.get(f"/v1/orders/{order_id}", shop.customer(customer))
    assert [detail["reason"] for detail in answer["error"]["details"]] == ["shop-a", "shop-b"]
    status, answer = await shop.client.get(f"/v1/orders/{order_id}?source=shop-b", shop.customer(customer))
    assert (status, answer["source"]) == (200, "shop-b")
    assert (await shop.client.get(f"/v1/orders/{order_id}?source=shop-c", shop.customer(customer)))[0] == 403
    assert (await shop.client.get(f"/v1/orders/{order_id}?source=shop-d", shop.operator()))[0] == 404


async def test_a_cursor_serves_its_customer_and_nobody_else(shop: Shop) -> None:
    mine, other = new_id(), new_id()
    await shop.store([one_part(f"{mine}-{at}", customer_id=mine) for at in range(2)])
    await listed(shop, mine, 2, 1)
    _, page = await shop.client.get(f"/v1/customers/{mine}/orders?limit=1", shop.customer(mine))
    cursor = page["next_cursor"]
    status, page = await shop.client.get(f"/v1/customers/{mine}/orders?cursor={cursor}", shop.customer(mine))
    assert (status, len(page["orders"])) == (200, 1)
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for customer, given in ((other, cursor), (mine, flipped), (mine, cursor[:20]), (mine, "%00"), (mine, "")):
        status, answer = await shop.client.get(
            f"/v1/customers/{customer}/orders?cursor={given}", shop.operator()
        )
        assert (status, answer["error"]["code"]) == (400, "invalid_cursor"), given


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "x", "\u0661", "+5", "020"])
async def test_limits_out_of_range_are_refused(shop: Shop, limit: str) -> None:
    path = f"/v1/customers/17850/orders?limit={limit.replace('+', '%2B')}"
    status, answer = await shop.client.get(path, shop.operator())
    assert (status, answer["error"]["code"]) == (400, "invalid_parameter")
    assert answer["error"]["details"][0]["pointer"] == "/limit"


async def test_answers_are_json_that_browsers_do_not_guess_at(shop: Shop) -> None:
    order_id = new_id()
    nasty = "</script><script>alert(1)</script>\u2028"
    await shop.store([one_part(order_id, [a_line(description=nasty)])])
    for path, status in ((f"/v1/orders/{order_id}", 200), ("/v1/orders/none", 404), ("/nowhere", 404)):
        async with shop.client.session.get(shop.client.url + path, headers=shop.operator()) as answer:
            assert answer.status == status
            assert answer.headers["Content-Type"].startswith("application/json")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            body = json.loads(await answer.read())
    assert body["error"]["code"] == "not_found"


@pytest.mark.parametrize("fault", [faults.Outage(), faults.BlackHole(), faults.Throttle()])
async def test_without_dynamodb_503_and_back_again(shop: Shop, engines: Engines, fault: faults.Fault) -> None:
    async with FaultProxy(engines.dynamodb) as proxy, aiohttp.ClientSession() as session:
        environment = {
            **shop.environment,
            "CADABRA_DYNAMODB_ENDPOINT": proxy.url,
            "CADABRA_REQUEST_TIMEOUT_S": "1",
        }
        process = await processes.start("storefront", shop.process.log_file.parent, environment)
        try:
            client = Client(session, process.url)
            assert (await client.get("/v1/orders/none", shop.operator()))[0] == 404
            rule = proxy.add(fault)
            started = time.monotonic()
            async with session.get(f"{process.url}/v1/orders/none", headers=shop.operator()) as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
                assert (await answer.json())["error"]["code"] in ("unavailable", "timed_out", "throttled")
            assert time.monotonic() - started < 3
            rule.lift()

            async def back() -> bool:
                return (await client.get("/v1/orders/none", shop.operator()))[0] == 404

            await until(back, "404 again")
            process.terminate()
            assert await process.wait() == 0
        finally:
            process.kill9()


async def test_requests_past_the_limit_are_told_to_come_back(shop: Shop) -> None:
    environment = {**shop.environment, "CADABRA_MAX_REQUESTS": "1"}
    process = await processes.start("storefront", shop.process.log_file.parent, environment)
    try:
        async with aiohttp.ClientSession() as session:
            client = Client(session, process.url)
            calls = (client.get(f"/v1/orders/none{at}", shop.operator()) for at in range(30))
            statuses = [status for status, _ in await asyncio.gather(*calls)]
        assert set(statuses) == {404, 503}
    finally:
        process.kill9()


async def test_metrics_tell_route_status_and_time(shop: Shop) -> None:
    secret = new_id()
    await shop.client.get(f"/v1/orders/{secret}", shop.operator())
    metrics = await shop.process.metrics()
    route = 'route="/v1/orders/{order_id}"'
    assert metrics[f'cadabra_storefront_requests_total{{{route},status="404"}}'] >= 1
    assert metrics[f"cadabra_storefront_request_seconds_count{{{route}}}"] >= 1
    assert not any(secret in name for name in metrics)
