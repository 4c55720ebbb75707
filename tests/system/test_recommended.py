"""What the shop recommends on the platform that holds all of the real data, while orders come in."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import pytest

from tests.fault.waiting import until
from tests.system.conftest import DEMO_TIMEOUT_S, Platform

pytestmark = pytest.mark.timeout(DEMO_TIMEOUT_S + 60)

CUSTOMER = "17841"


async def recommended(
    platform: Platform, http: aiohttp.ClientSession, name: str, customer: str = CUSTOMER
) -> dict[str, Any]:
    """One list as the customer gets it."""
    url = f"{platform.target.storefront}/v1/customers/{customer}/recommendations"
    headers = platform.headers("customer", customer)
    async with http.get(url, params={"list": name, "limit": "50"}, headers=headers) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


def codes(shown: dict[str, Any]) -> list[str]:
    return [item["stock_code"] for item in shown["items"]]


async def test_what_is_ordered_now_is_recommended_no_more(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    before = {name: codes(await recommended(platform, http, name)) for name in ("you_may_like", "buy_again")}
    ordered = {name: listed[0] for name, listed in before.items()}
    order = {
        "order_id": f"recommended-{uuid.uuid4().hex[:8]}",
        "ordered_at": "2011-12-20T10:00:00Z",
        "customer_id": CUSTOMER,
        "country": "United Kingdom",
        "currency": "GBP",
        "lines": [{"stock_code": code, "quantity": 1, "unit_price": "1.00"} for code in ordered.values()],
    }
    headers = platform.headers("sender", "system-test")
    async with http.post(
        f"{platform.target.order_ingest}/v1/orders", json=order, headers=headers
    ) as response:
        assert response.status == 202, await response.text()

    async def gone() -> bool:
        now = {name: codes(await recommended(platform, http, name)) for name in ordered}
        return all(code not in now[name] for name, code in ordered.items())

    await until(gone, 30, "what was ordered is left out")
    for name, listed in before.items():
        assert codes(await recommended(platform, http, name))[: len(listed) - 1] == listed[1:]


async def test_whoever_is_not_known_sees_what_is_popular(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    shown = await recommended(platform, http, "for_you", "never-seen")
    assert (len(shown["items"]), shown["fallback"]) == (50, "everywhere")
