"""Recommendations from a process on the real DynamoDB: lists, fallbacks, flips under load, hostile parameters."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from contracts import codec
from tests.component.order_path import until
from tests.component.storefront.conftest import Shop
from tests.component.storefront.versions import Version, an_article
from tests.orders import TIME, a_line, one_part

HAMMERED_S = 3.0


def new_id() -> str:
    return uuid.uuid4().hex[:12]


def some(codes: str, name: str, **fields: Any) -> list[codec.RecommendedArticle]:
    scores = [1 - at / 20 for at in range(len(codes))]
    return [
        an_article(code, score, description=name, **fields) for code, score in zip(codes, scores, strict=True)
    ]


def a_version(customer: str, name: str | None = None) -> Version:
    """A customer of France, a product and what is popular; every description names the version."""
    name = name or new_id()
    return (
        Version(name)
        .customer(
            customer,
            some("ab", name, because="y"),
            some("yz", name, times=2, last_on="2011-10-01"),
            country="France",
        )
        .product("p/p", some("qr", name, times=3))
        .popular("France", some("ayfg", name, times=4))
        .popular("Côte d'Ivoire", some("c", name, times=1))
        .popular(None, some("agpehij", name, times=5))
    )


async def published(shop: Shop, version: Version) -> None:
    """Publish a version and wait until it is served."""
    await shop.publish(version)

    async def served() -> bool:
        _, answer = await shop.client.get("/v1/popular", shop.operator())
        return bool(answer["version"] == version.name)

    await until(served, "the version in service")


def codes(answer: dict[str, Any]) -> str:
    return "".join(item["stock_code"] for item in answer["items"])


async def get(shop: Shop, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    status, answer = await shop.client.get(path, headers or shop.operator())
    assert status == 200, answer
    return dict(answer)


async def test_a_customer_gets_the_lists_with_their_reasons(shop: Shop) -> None:
    customer = new_id()
    version = a_version(customer)
    await published(shop, version)
    own = f"/v1/customers/{customer}/recommendations"
    assert await get(shop, f"{own}?limit=2", shop.customer(customer)) == {
        "list": "for_you",
        "customer_id": customer,
        "country": "France",
        "items": [
            {
                "stock_code": "a",
                "description": version.name,
                "score": 1.0,
                "reason": {"kind": "because_you_bought", "stock_code": "y", "description": None},
                "text": "because you bought y",
            },
            {
                "stock_code": "y",
                "description": version.name,
                "score": 1.0,
                "reason": {"kind": "bought_before", "times": 2, "last_on": "2011-10-01"},
                "text": "you bought it 2 times, last on 1 October 2011",
            },
        ],
        "fallback": None,
        "version": version.name,
        "trained_until": version.trained_until,
        "degraded": [],
    }
    for name, expected in (
        ("for_you", "aybzfgpehi"),
        ("you_may_like", "abfgpehij"),
        ("buy_again", "yzfgpehij"),
        ("popular", "ayfgpehij"),
    ):
        assert codes(await get(shop, f"{own}?list={name}")) == expected


@pytest.mark.parametrize(
    ("path", "expected", "fallback"),
    [
        ("/v1/customers/nobody/recommendations?limit=3", "agp", "everywhere"),
        ("/v1/customers/nobody/recommendations?limit=3&country=France", "ayf", "country"),
        ("/v1/customers/nobody/recommendations?limit=3&country=Atlantis", "agp", "everywhere"),
        ("/v1/customers/nobody/recommendations?limit=3&country=France&list=popular", "ayf", None),
        ("/v1/customers/nobody/recommendations?limit=3&list=buy_again", "agp", "everywhere"),
        ("/v1/popular?limit=3", "agp", None),
        ("/v1/popular?limit=3&country=C%C3%B4te%20d%27Ivoire", "cag", None),
        ("/v1/popular?limit=3&country=Atlantis", "agp", "everywhere"),
        ("/v1/products/p%2Fp/also-bought", "qr", None),
        ("/v1/products/none/also-bought?limit=3", "agp", "everywhere"),
        ("/v1/products/a/also-bought?limit=3", "gpe", "everywhere"),
    ],
)
async def test_whoever_is_not_known_gets_what_is_popular(
    shop: Shop, path: str, expected: str, fallback: str | None
) -> None:
    await published(shop, a_version(new_id()))
    async with shop.client.session.get(
        URL(shop.client.url + path, encoded=True), headers=shop.operator()
    ) as got:
        answer = json.loads(await got.read())
        assert (got.status, got.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert (codes(answer), answer["fallback"], answer["degraded"]) == (expected, fallback, [])


async def test_what_is_bought_is_left_out_as_soon_as_it_is_stored(shop: Shop) -> None:
    customer = new_id()
    await published(shop, a_version(customer))
    own = f"/v1/customers/{customer}/recommendations?limit=4"
    assert codes(await get(shop, own)) == "aybz"
    order_id = new_id()
    bought = [a_line("1", stock_code="a"), a_line("2", stock_code="z"), a_line("3", stock_code="f")]
    earlier = a_line("4", stock_code="b", ordered_at="2011-10-31T23:59:59.999Z")
    parts = [one_part(order_id, lines, customer_id=customer) for lines in (bought, [earlier])]
    await shop.store(parts)

    async def left_out(expected: str) -> bool:
        return codes(await get(shop, own)) == expected

    await until(lambda: left_out("ybgp"), "what was bought is left out")
    later = [a_line("5", stock_code="y", ordered_at="2011-11-21T10:00:00.000Z")]
    await shop.store([one_part(order_id, later, customer_id=customer)])
    await until(lambda: left_out("bgpe"), "a later part of the order counts too")
    back = [a_line("1", stock_code="a", quantity=-6)]
    await shop.store([one_part(f"C{order_id}", back, customer_id=customer, kind="cancellation")])
    await until(lambda: left_out("abgp"), "what was sent back is recommended again")
    metrics = await shop.process.metrics()
    assert metrics["cadabra_storefront_left_out_total"] >= 3


async def test_another_customers_orders_leave_nothing_out(shop: Shop) -> None:
    customer, other = new_id(), new_id()
    await published(shop, a_version(customer))
    await shop.store([one_part(new_id(), [a_line(stock_code="a")], customer_id=other)])
    shared = new_id()
    await shop.store(
        [
            one_part(shared, [a_line("1", stock_code="y")], customer_id=other),
            one_part(shared, [a_line("2", stock_code="b")], customer_id=customer),
        ]
    )

    async def listed() -> bool:
        _, page = await shop.client.get(f"/v1/customers/{other}/orders", shop.operator())
        return len(page["orders"]) == 2

    await until(listed, "both orders in the index")
    answer = await get(shop, f"/v1/customers/{customer}/recommendations?limit=4")
    assert codes(answer) == "aybz"


async def test_no_answer_mixes_versions_while_a_writer_flips_all_the_time(shop: Shop) -> None:
    customer = new_id()
    await published(shop, a_version(customer))
    paths = [
        f"/v1/customers/{customer}/recommendations?limit=50",
        f"/v1/customers/{customer}/recommendations?limit=50&list=buy_again",
        "/v1/products/p%2Fp/also-bought",
        "/v1/popular?country=France&limit=50",
    ]
    expected = ["aybzfgpehij", "yzfgpehij", "qr", "ayfgpehij"]
    seen: set[str] = set()
    flipped: list[Version] = []
    stop = time.monotonic() + HAMMERED_S

    async def write() -> None:
        while time.monotonic() < stop:
            version = a_version(customer)
            await shop.publish(version)
            flipped.append(version)
            if len(flipped) > 2:  # the one in service and the one before are kept
                await flipped[-3].expire(shop.path.dynamodb, shop.path.namespace)

    async def read(at: int) -> None:
        headers = shop.operator()
        url = URL(shop.client.url + paths[at], encoded=True)
        while time.monotonic() < stop:
            async with shop.client.session.get(url, headers=headers) as got:
                answer = json.loads(await got.read())
                assert got.status == 200, answer
            assert {item["description"] for item in answer["items"]} == {answer["version"]}, answer
            assert (codes(answer), answer["degraded"]) == (expected[at], [])
            seen.add(answer["version"])

    await asyncio.gather(write(), *(read(at) for at in (0, 1, 2, 3, 0, 0)))
    assert len(flipped) > 10
    assert len(seen) > 5


HOSTILE = [
    ("a%2Fb", True),
    ("..%2F..", True),
    ("%E2%82%AC", True),
    ("%F0%9F%98%80" * 64, True),
    ("'%20OR%201=1", True),
    ("x" * 64, True),
    ("x" * 65, False),
    ("x" * 4096, False),
    ("%00", False),
    ("a%0Ab", False),
    ("%C2%85", False),
]


@pytest.mark.parametrize(("hostile", "is_a_name"), HOSTILE)
async def test_hostile_names_are_refused_or_not_known(shop: Shop, hostile: str, is_a_name: bool) -> None:
    await published(shop, a_version(new_id()))
    own = new_id()
    is_an_id = hostile == "x" * 64
    for path, accepted, pointer in (
        (f"/v1/products/{hostile}/also-bought", is_a_name, "/stock_code"),
        (f"/v1/popular?country={hostile}", is_a_name, "/country"),
        (f"/v1/customers/{own}/recommendations?country={hostile}", is_a_name, "/country"),
        (f"/v1/customers/{hostile}/recommendations", is_an_id, "/customer_id"),
    ):
        async with shop.client.session.get(
            URL(shop.client.url + path, encoded=True), headers=shop.operator()
        ) as got:
            answer = json.loads(await got.read())
        if accepted:
            assert (got.status, answer["fallback"], answer["version"] != "") == (200, "everywhere", True), (
                path
            )
        else:
            found = [detail["pointer"] for detail in answer["error"]["details"]]
            assert (got.status, answer["error"]["code"], found) == (400, "invalid_parameter", [pointer]), path


@pytest.mark.parametrize("hostile", ["x" * 10_240, "%FF", "%ED%A0%80", "%"])
async def test_what_is_no_text_at_all_never_ends_in_a_fault_of_ours(shop: Shop, hostile: str) -> None:
    await published(shop, a_version(new_id()))
    for path in (
        f"/v1/products/{hostile}/also-bought",
        f"/v1/popular?country={hostile}",
        f"/v1/customers/{hostile}/recommendations",
    ):
        url = URL(shop.client.url + path, encoded=True)
        async with shop.client.session.get(url, headers=shop.operator()) as got:
            assert got.status in (200, 400), (path[:60], await got.text())
    status, _ = await shop.client.get("/v1/popular", shop.operator())
    assert status == 200


@pytest.mark.parametrize(
    "path", ["/v1/customers/17850/recommendations", "/v1/products/p/also-bought", "/v1/popular"]
)
async def test_a_limit_is_1_to_50(shop: Shop, path: str) -> None:
    await published(shop, a_version("17850"))
    for limit in ("1", "50"):
        answer = await get(shop, f"{path}?limit={limit}")
        assert 1 <= len(answer["items"]) <= int(limit)
    for limit in ("0", "51", "-1", "1.5", "", "x", "%2B5", "010", "%D9%A1"):
        status, answer = await shop.client.get(f"{path}?limit={quote(limit, safe='%')}", shop.operator())
        assert (status, answer["error"]["details"][0]["pointer"]) == (400, "/limit"), limit


@pytest.mark.parametrize(
    "name", ["", "For_you", "also_bought", "for_you%20", "you_may_like,popular", "x" * 2000]
)
async def test_a_list_that_is_none_is_refused(shop: Shop, name: str) -> None:
    url = f"{shop.client.url}/v1/customers/17850/recommendations?list={name}"
    async with shop.client.session.get(URL(url, encoded=True), headers=shop.operator()) as got:
        answer = json.loads(await got.read())
    assert (got.status, answer["error"]["details"][0]["pointer"]) == (400, "/list")


async def test_metrics_tell_lists_and_fallbacks_and_no_names(shop: Shop) -> None:
    customer, product = new_id(), new_id()
    await published(shop, a_version(customer))
    await get(shop, f"/v1/customers/{customer}/recommendations")
    await get(shop, f"/v1/products/{product}/also-bought")
    metrics = await shop.process.metrics()
    prefix = "cadabra_storefront_"
    assert metrics[prefix + 'recommendations_total{fallback="none",list="for_you"}'] >= 1
    assert metrics[prefix + 'recommendations_total{fallback="everywhere",list="also_bought"}'] >= 1
    assert metrics[prefix + "filled_up_total"] >= 1
    assert metrics[prefix + "flips_total"] >= 1
    assert 0 <= metrics[prefix + "pointer_age_seconds"] < 60
    assert metrics[prefix + "trained_until_seconds"] == 1320105600
    assert metrics[prefix + "known_missing"] >= 1
    assert metrics[prefix + "cached_bytes"] >= 100
    assert metrics[prefix + "cached_records"] >= 1
    assert not any(secret in name for name in metrics for secret in (customer, product))
    assert a_version(customer).trained_until < TIME  # what the tests store by default was bought since
