"""Answers of one version, never empty, without what was bought since, and what they go on without."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from contracts import codec
from services.kernel.adapters.dynamodb import Item
from services.kernel.core.errors import Unavailable
from services.kernel.core.retry import Retry
from services.storefront.guard import Guard
from services.storefront.memory import Memory
from services.storefront.metrics import StorefrontMetrics
from services.storefront.pointer import PointerReader
from services.storefront.recommendations import NoRecommendations, Recommendations
from services.storefront.records import RecordReader
from services.storefront.since import Since
from tests.component.storefront.versions import TRAINED_UNTIL, Version, an_article

Hook = Callable[[str, str], Awaitable[None]]


class Shop:
    """Recommendations over a table in memory, at a clock that stands still."""

    def __init__(self, max_age_s: float = 60.0) -> None:
        self.metrics = StorefrontMetrics(process=False)
        self.items: dict[tuple[str, str], Item] = {}
        self.asked: list[tuple[str, str, bool]] = []
        self.before: Hook | None = None
        self.bought: frozenset[str] | None = frozenset()
        memory = Memory(100_000, self.metrics)
        records = RecordReader(
            self, "recommendations", Guard("recommendations", 5.0), memory, self.metrics, Retry(budget_s=0.0)
        )
        pointers = PointerReader(
            records.pointer, records.everywhere, max_age_s, self.metrics, clock=lambda: 0.0
        )
        self.lists = Recommendations(pointers, records, _Bought(self), memory, self.metrics)

    async def get_item(self, table: str, key: Mapping[str, Any], consistent: bool = True) -> Item | None:
        subject, version = key["subject"]["S"], key["version"]["S"]
        self.asked.append((subject, version, consistent))
        if self.before is not None:
            await self.before(subject, version)
        return self.items.get((subject, version))

    def publish(self, version: Version) -> None:
        for subject, body in version.bodies.items():
            self.items[subject, version.name] = {"body": {"B": body}}
        self.items["current", "current"] = {
            "serving": {"S": version.name},
            "trained_until": {"S": version.trained_until},
        }

    def expire(self, version: str) -> None:
        self.items = {key: item for key, item in self.items.items() if key[1] != version}

    async def customer(
        self, customer_id: str = "1", name: str = "for_you", limit: int = 10, country: str | None = None
    ) -> dict[str, Any]:
        return dict(json.loads(await self.lists.of_customer(customer_id, name, limit, country)))

    async def product(self, stock_code: str, limit: int = 10) -> dict[str, Any]:
        return dict(json.loads(await self.lists.also_bought(stock_code, limit)))

    async def popular(self, country: str | None = None, limit: int = 10) -> dict[str, Any]:
        return dict(json.loads(await self.lists.popular(country, limit)))

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"cadabra_storefront_{name}", labels) or 0


class _Bought(Since):
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def bought(self, customer_id: str, since: str) -> frozenset[str]:
        assert since == TRAINED_UNTIL
        if self._shop.bought is None:
            raise Unavailable("the order store is away")
        return self._shop.bought


def a_version(name: str = "v1") -> Version:
    """One customer of France, one product, what is popular in France and everywhere; descriptions name the version."""

    def some(codes: str, **fields: Any) -> list[codec.RecommendedArticle]:
        scores = [1 - at / 10 for at in range(len(codes))]
        return [
            an_article(code, score, description=name, **fields)
            for code, score in zip(codes, scores, strict=True)
        ]

    return (
        Version(name)
        .customer("1", some("ab", because="y"), some("yz", times=2, last_on="2011-10-01"), country="France")
        .product("p", some("qr", times=3))
        .popular("France", some("ayfg", times=4))
        .popular(None, some("agpehij", times=5))
    )


def codes(answer: dict[str, Any]) -> str:
    return "".join(item["stock_code"] for item in answer["items"])


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.publish(a_version())
    return shop


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("you_may_like", 1, "a"),
        ("you_may_like", 5, "abfgp"),
        ("buy_again", 3, "yzf"),
        ("for_you", 3, "ayb"),
        ("for_you", 50, "aybzfgpehij"),
        ("popular", 3, "ayf"),
        ("popular", 50, "ayfgpehij"),
    ],
)
async def test_a_list_is_its_own_then_the_countrys_then_everybodys(
    shop: Shop, name: str, limit: int, expected: str
) -> None:
    answer = await shop.customer(name=name, limit=limit)
    assert codes(answer) == expected
    assert {key: answer[key] for key in answer if key != "items"} == {
        "list": name,
        "customer_id": "1",
        "country": "France",
        "fallback": None,
        "version": "v1",
        "trained_until": TRAINED_UNTIL,
        "degraded": [],
    }
    assert shop.count("recommendations_total", list=name, fallback="none") == 1
    filled_up = sum(item["reason"]["kind"] == "popular" for item in answer["items"])
    assert shop.count("filled_up_total") == (0 if name == "popular" else filled_up)


async def test_every_article_says_why(shop: Shop) -> None:
    items = (await shop.customer(limit=6))["items"]
    assert [item["reason"]["kind"] for item in items[:4]] == [
        "because_you_bought",
        "bought_before",
        "because_you_bought",
        "bought_before",
    ]
    assert items[4]["reason"] == {"kind": "popular", "country": "France", "times": 4}
    (everywhere,) = [item for item in (await shop.customer(limit=7))["items"] if item["stock_code"] == "p"]
    assert everywhere["reason"] == {"kind": "popular", "country": None, "times": 5}


@pytest.mark.parametrize(
    ("name", "bought", "expected", "left_out"),
    [
        ("for_you", "ay", "bzf", 2),
        ("you_may_like", "a", "bfg", 1),
        ("buy_again", "yzfg", "peh", 2),
        ("popular", "ayfg", "ayf", 0),
    ],
)
async def test_what_was_bought_since_is_neither_shown_nor_filled_up_with(
    shop: Shop, name: str, bought: str, expected: str, left_out: int
) -> None:
    shop.bought = frozenset(bought)
    answer = await shop.customer(name=name, limit=3)
    assert (codes(answer), shop.count("left_out_total")) == (expected, left_out)
    assert answer["fallback"] == ("everywhere" if name == "buy_again" else None)


async def test_who_has_bought_everything_is_shown_something_all_the_same(shop: Shop) -> None:
    shop.bought = frozenset("abyzfgpehij")
    answer = await shop.customer(limit=3)
    assert (codes(answer), answer["fallback"]) == ("ayf", "country")


@pytest.mark.parametrize("name", ["for_you", "you_may_like", "buy_again"])
@pytest.mark.parametrize(
    ("country", "expected", "fallback"),
    [("France", "ayf", "country"), (None, "agp", "everywhere"), ("Atlantis", "agp", "everywhere")],
)
async def test_a_customer_who_is_not_known_sees_what_is_popular(
    shop: Shop, name: str, country: str | None, expected: str, fallback: str
) -> None:
    answer = await shop.customer("nobody", name, 3, country)
    assert (codes(answer), answer["fallback"], answer["country"]) == (expected, fallback, country)
    assert shop.count("recommendations_total", list=name, fallback=fallback) == 1


async def test_popular_says_what_stands_in_only_where_something_else_was_asked_for(shop: Shop) -> None:
    found = [(await shop.popular(country, 2)) for country in ("France", "Atlantis", None)]
    assert [(codes(answer), answer["fallback"], answer["country"]) for answer in found] == [
        ("ay", None, "France"),
        ("ag", "everywhere", "Atlantis"),
        ("ag", None, None),
    ]


async def test_a_product_that_is_not_known_shows_what_is_popular_without_itself(shop: Shop) -> None:
    known, unknown = await shop.product("p"), await shop.product("g", 2)
    assert (codes(known), known["fallback"], known["stock_code"]) == ("qr", None, "p")
    assert (codes(unknown), unknown["fallback"]) == ("ap", "everywhere")
    assert known["items"][0]["reason"] == {"kind": "bought_together", "times": 3}


async def test_a_country_that_is_given_goes_before_the_customers_own(shop: Shop) -> None:
    answer = await shop.customer(limit=6, country="Atlantis")
    assert (codes(answer), answer["country"]) == ("aybzgp", "Atlantis")


async def test_products_and_countries_are_read_once_and_customers_each_time(shop: Shop) -> None:
    for _ in range(3):
        await shop.product("p")
        await shop.popular("France")
        await shop.customer(limit=1)
    assert shop.asked == [
        ("current", "current", True),
        ("everywhere", "v1", False),
        ("product:p", "v1", False),
        ("country:France", "v1", False),
        *[("customer:1", "v1", False)] * 3,
    ]


async def test_what_is_not_there_is_asked_for_twice_and_then_known(shop: Shop) -> None:
    for _ in range(3):
        await shop.product("none")
    assert shop.asked == [
        ("current", "current", True),
        ("everywhere", "v1", False),
        ("product:none", "v1", False),
        ("product:none", "v1", True),
        ("current", "current", True),
    ]
    shop.publish(a_version("v2").product("none", [an_article("q", times=1)]))
    assert codes(await shop.product("none")) != "q"  # the pointer is not old enough to look again


async def test_a_version_that_goes_away_under_a_request_is_left_for_the_new_one_whole(shop: Shop) -> None:
    assert codes(await shop.customer(limit=6)) == "aybzfg"

    async def flip(subject: str, version: str) -> None:
        if subject == "customer:1":
            shop.before = None
            shop.publish(a_version("v2"))
            shop.expire("v1")

    shop.before = flip
    answer = await shop.customer(limit=6)
    assert (answer["version"], codes(answer), answer["degraded"]) == ("v2", "aybzfg", [])
    assert {item["description"] for item in answer["items"]} == {"v2"}


async def test_versions_that_go_away_one_after_another_end_in_an_answer_that_says_so(shop: Shop) -> None:
    flips = 0

    async def flip(subject: str, version: str) -> None:
        nonlocal flips
        if subject == "customer:1":
            flips += 1
            shop.publish(a_version(f"w{flips}"))
            shop.expire(version)

    shop.before = flip
    answer = await shop.customer(limit=6)
    assert (codes(answer), answer["fallback"]) == ("agpehi", "everywhere")
    assert answer["degraded"] == ["recommendations"]
    assert {item["description"] for item in answer["items"]} == {answer["version"]}
    shop.before = None
    assert (await shop.customer(limit=6))["fallback"] is None  # nothing of it is remembered


async def test_without_the_table_an_answer_is_from_memory_and_says_so(shop: Shop) -> None:
    await shop.popular("France")

    async def away(subject: str, version: str) -> None:
        raise Unavailable("away")

    shop.before = away
    for answer, expected in (
        (await shop.customer(limit=3, country="France"), "ayf"),
        (await shop.customer(limit=3), "agp"),
        (await shop.popular("Germany", limit=3), "agp"),
        (await shop.product("p", limit=3), "age"),
    ):
        assert (codes(answer), answer["degraded"], answer["version"]) == (expected, ["recommendations"], "v1")
    assert (await shop.popular("France"))["degraded"] == []
    assert shop.count("degraded_total", what="recommendations") == 4
    shop.before = None
    assert (await shop.customer())["degraded"] == []


async def test_a_look_that_fails_makes_the_answer_uncertain_and_no_worse() -> None:
    shop = Shop(max_age_s=0.0)
    shop.publish(a_version())
    await shop.customer()

    async def away(subject: str, version: str) -> None:
        if subject == "current":
            raise Unavailable("away")

    shop.before = away
    answer = await shop.customer(limit=4)
    assert (codes(answer), answer["degraded"]) == ("aybz", ["recommendations"])


async def test_without_the_order_store_nothing_is_left_out_and_the_answer_says_so(shop: Shop) -> None:
    shop.bought = None
    answer = await shop.customer(limit=2)
    assert (codes(answer), answer["degraded"]) == ("ay", ["order_history"])
    assert shop.count("degraded_total", what="order_history") == 1


@pytest.mark.parametrize("body", [b"", b"{", b'{"subject":"customer:1"}', a_version().bodies["customer:1"]])
async def test_a_record_that_is_none_counts_as_not_there(shop: Shop, body: bytes) -> None:
    shop.items["customer:2", "v1"] = {"body": {"B": body}}
    answer = await shop.customer("2", limit=2)
    assert (codes(answer), answer["fallback"]) == ("ag", "everywhere")
    assert shop.count("unreadable_records_total") == 1


async def test_where_there_is_nothing_there_is_no_answer() -> None:
    shop = Shop(max_age_s=0.0)
    for version in (None, Version("v1"), Version("v2").popular("France", [])):
        if version is not None:
            shop.publish(version)
        for asked in (shop.customer(), shop.customer(name="popular"), shop.popular(), shop.product("p")):
            with pytest.raises(NoRecommendations):
                await asked
