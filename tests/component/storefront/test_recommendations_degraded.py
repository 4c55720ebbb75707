"""What recommendations do without a table: a process behind a proxy that takes it away, slows it down or throttles."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests import processes
from tests.component.order_path import Client, OrderPath, order_path, until
from tests.component.storefront.conftest import Shop
from tests.component.storefront.versions import Version, an_article
from tests.engines import Engines
from tests.fault import faults
from tests.fault.proxy import FaultProxy

POINTER_MAX_AGE_S = 1.0
LISTS, ORDERS = "-recommendations", "-order_history"


@dataclass
class Behind:
    """A storefront of its own namespace behind a proxy; `path` reaches the tables past it."""

    proxy: FaultProxy
    path: OrderPath
    client: Client
    process: processes.ServiceProcess
    operator: dict[str, str]

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.client.get(path, self.operator)

    async def publish(self, version: Version) -> None:
        await version.write(self.path.dynamodb, self.path.namespace)
        await version.flip(self.path.dynamodb, self.path.namespace)

    async def served(self, version: Version) -> None:
        """Wait until a version is served and nothing is degraded."""

        async def whole() -> bool:
            status, answer = await self.get("/v1/customers/1/recommendations")
            return status == 200 and (answer["version"], answer["degraded"]) == (version.name, [])

        await until(whole, f"{version.name} whole")


@asynccontextmanager
async def a_storefront_behind_a_proxy(shop: Shop, engines: Engines) -> AsyncIterator[Behind]:
    async with (
        order_path(engines, f"t{uuid.uuid4().hex[:8]}") as path,
        FaultProxy(engines.dynamodb) as proxy,
        aiohttp.ClientSession() as session,
    ):
        environment = {
            **shop.environment,
            "CADABRA_NAMESPACE": path.namespace,
            "CADABRA_DYNAMODB_ENDPOINT": proxy.url,
            "CADABRA_POINTER_MAX_AGE_S": str(POINTER_MAX_AGE_S),
            "CADABRA_RECOMMENDATIONS_TIMEOUT_S": "0.25",
        }
        process = await processes.start("storefront", shop.process.log_file.parent, environment)
        try:
            yield Behind(proxy, path, Client(session, process.url), process, shop.operator())
        finally:
            process.kill9()
            print(process.log_tail())


@pytest.fixture(scope="module")
async def behind(shop: Shop, engines: Engines) -> AsyncIterator[Behind]:
    """One for every test that leaves it with a version served and nothing degraded."""
    async with a_storefront_behind_a_proxy(shop, engines) as behind:
        yield behind


@pytest.fixture
async def fresh(shop: Shop, engines: Engines) -> AsyncIterator[Behind]:
    """One for a test alone."""
    async with a_storefront_behind_a_proxy(shop, engines) as behind:
        yield behind


def a_version(name: str = "v1") -> Version:
    return (
        Version(name)
        .customer("1", [an_article("a", 0.9, because="y")], [], country="France")
        .popular("France", [an_article("f", 0.9, times=4)])
        .popular(None, [an_article("e", 0.9, times=5)])
    )


def codes(answer: dict[str, Any]) -> str:
    return "".join(item["stock_code"] for item in answer["items"])


async def test_before_the_first_version_503_and_then_no_more(fresh: Behind) -> None:
    url = f"{fresh.client.url}/v1/customers/1/recommendations"
    for path in ("/v1/customers/1/recommendations", "/v1/products/p/also-bought", "/v1/popular"):
        status, answer = await fresh.get(path)
        assert (status, answer["error"]["code"]) == (503, "no_recommendations")
    async with fresh.client.session.get(url, headers=fresh.operator) as got:
        assert (got.status, int(got.headers["Retry-After"]) >= 1) == (503, True)
    assert (await fresh.get("/v1/customers/1/orders"))[0] == 200
    await fresh.publish(a_version())
    await fresh.served(a_version())


async def test_a_flip_is_seen_within_the_pointers_age_by_one_look(behind: Behind) -> None:
    await behind.publish(a_version())
    await behind.served(a_version())
    await behind.publish(a_version("v2"))
    flipped = time.monotonic()
    looks = behind.proxy.calls["GetItem"]
    while (await behind.get("/v1/popular"))[1]["version"] == "v1":
        assert time.monotonic() < flipped + POINTER_MAX_AGE_S + 5
    # At most a look that was under way, the one that saw the flip, and everybody's list.
    assert behind.proxy.calls["GetItem"] - looks <= 3 + (time.monotonic() - flipped) // POINTER_MAX_AGE_S


@pytest.mark.parametrize(
    "fault",
    [faults.Outage(), faults.BlackHole(), faults.Throttle(), faults.Delay(1500, 1500)],
    ids=["away", "silent", "throttled", "slow"],
)
async def test_without_the_table_answers_are_from_memory(behind: Behind, fault: faults.Fault) -> None:
    await behind.publish(a_version())
    await behind.served(a_version())
    status, answer = await behind.get("/v1/popular?country=France")
    assert (status, codes(answer)) == (200, "fe")
    rule = behind.proxy.add(fault, resource=LISTS)
    for path, expected in (
        ("/v1/customers/1/recommendations?country=France", "fe"),
        ("/v1/customers/1/recommendations", "e"),
        ("/v1/products/p/also-bought", "e"),
        ("/v1/popular?country=Spain", "e"),
    ):
        started = time.monotonic()
        status, answer = await behind.get(path)
        assert (status, codes(answer), answer["version"]) == (200, expected, "v1"), path
        assert answer["degraded"] == ["recommendations"]
        assert time.monotonic() - started < 3
    assert (await behind.get("/v1/customers/1/orders"))[0] == 200
    metrics = await behind.process.metrics()
    assert metrics['cadabra_storefront_degraded_total{what="recommendations"}'] >= 4
    rule.lift()
    await behind.served(a_version())


async def test_a_table_that_stays_away_is_not_waited_for_again_and_again(behind: Behind) -> None:
    await behind.publish(a_version())
    await behind.served(a_version())
    rule = behind.proxy.add(faults.BlackHole(), resource=LISTS)
    for _ in range(6):
        await behind.get("/v1/customers/1/recommendations")
    calls, started = behind.proxy.calls["GetItem"], time.monotonic()
    for _ in range(30):
        status, answer = await behind.get("/v1/customers/1/recommendations")
        assert (status, answer["degraded"]) == (200, ["recommendations"])
    assert behind.proxy.calls["GetItem"] - calls <= 2 + (time.monotonic() - started)
    rule.lift()
    await behind.served(a_version())


@pytest.mark.parametrize("fault", [faults.Outage(), faults.BlackHole(), faults.Throttle()])
async def test_without_the_order_store_nothing_is_left_out_and_it_is_said(
    behind: Behind, fault: faults.Fault
) -> None:
    await behind.publish(a_version())
    await behind.served(a_version())
    rule = behind.proxy.add(fault, resource=ORDERS)
    status, answer = await behind.get("/v1/customers/1/recommendations")
    assert (status, codes(answer), answer["degraded"]) == (200, "afe", ["order_history"])
    status, answer = await behind.get("/v1/popular")
    assert (status, answer["degraded"]) == (200, [])
    rule.lift()
    await behind.served(a_version())


async def test_a_table_that_is_gone_is_one_that_is_away(fresh: Behind) -> None:
    await fresh.publish(a_version())
    await fresh.served(a_version())
    await fresh.path.dynamodb.delete_table(f"{fresh.path.namespace}{LISTS}")

    async def degraded() -> bool:
        status, answer = await fresh.get("/v1/customers/1/recommendations")
        assert status == 200
        return bool(answer["degraded"] == ["recommendations"])

    await until(degraded, "degraded")
