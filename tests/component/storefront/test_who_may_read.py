"""Who may read what: a table of tokens and the answer to each, on every route."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable

import pytest

from services.kernel.core.tokens import Keys, sign
from tests.component.storefront.conftest import Shop
from tests.component.storefront.versions import Version, an_article
from tests.orders import one_part

OWNER, OTHER = f"c{uuid.uuid4().hex[:10]}", f"c{uuid.uuid4().hex[:10]}"
ORDER = f"o{uuid.uuid4().hex[:10]}"
VERSION = Version("tokens").popular(None, [an_article("85123A", times=1), an_article("22423", times=1)])
Headers = dict[str, str]


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def _forged(shop: Shop) -> Headers:
    stranger = Keys.generate("test")  # the same key id, another key
    return _bearer(sign(stranger.private_jwk, OWNER, "customer"))


def _altered(shop: Shop) -> Headers:
    head, claims, signature = shop.customer(OTHER)["Authorization"][7:].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    claims = base64.urlsafe_b64encode(json.dumps({**said, "sub": OWNER}).encode()).rstrip(b"=").decode()
    return _bearer(f"{head}.{claims}.{signature}")


def _unsigned(shop: Shop) -> Headers:
    _, claims, _ = shop.customer(OWNER)["Authorization"][7:].split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"test"}').rstrip(b"=").decode()
    return _bearer(f"{head}.{claims}.")


def _unknown_key(shop: Shop) -> Headers:
    return _bearer(sign(Keys.generate("nobody").private_jwk, OWNER, "customer"))


TABLE: list[tuple[str, Callable[[Shop], Headers], int, str]] = [
    ("owner", lambda shop: shop.customer(OWNER), 200, ""),
    ("operator", lambda shop: shop.operator(), 200, ""),
    ("missing", lambda _: {}, 401, "missing_token"),
    ("basic", lambda _: {"Authorization": "Basic YTpi"}, 401, "invalid_token"),
    ("junk", lambda _: _bearer("junk"), 401, "invalid_token"),
    ("forged", _forged, 401, "invalid_token"),
    ("altered", _altered, 401, "invalid_token"),
    ("unsigned", _unsigned, 401, "invalid_token"),
    ("unknown key", _unknown_key, 401, "invalid_token"),
    (
        "expired",
        lambda shop: shop.security.token("customer", OWNER, lifetime_s=-60),
        401,
        "expired_token",
    ),
    (
        "wrong audience",
        lambda shop: shop.security.token("customer", OWNER, audience="elsewhere"),
        401,
        "invalid_token",
    ),
    ("sender", lambda shop: shop.security.token("sender", "shop"), 403, "wrong_role"),
    ("analyst", lambda shop: shop.security.token("analyst", "ada"), 403, "wrong_role"),
    ("sender named as the customer", lambda shop: shop.security.token("sender", OWNER), 403, "wrong_role"),
    ("other customer", lambda shop: shop.customer(OTHER), 403, "not_yours"),
]


@pytest.mark.parametrize(
    "path",
    [f"/v1/customers/{OWNER}/orders", f"/v1/orders/{ORDER}", f"/v1/customers/{OWNER}/recommendations"],
    ids=["history", "order", "recommendations"],
)
@pytest.mark.parametrize(("who", "headers", "status", "code"), TABLE, ids=[row[0] for row in TABLE])
async def test_every_token_gets_its_answer(
    shop: Shop, path: str, who: str, headers: Callable[[Shop], Headers], status: int, code: str
) -> None:
    await shop.store([one_part(ORDER, customer_id=OWNER)])
    await shop.publish(VERSION)
    found, answer = await shop.client.get(path, headers(shop))
    assert (found, answer.get("error", {}).get("code", "")) == (status, code), who


@pytest.mark.parametrize("path", ["/v1/products/85123A/also-bought", "/v1/popular"])
@pytest.mark.parametrize(("who", "headers", "status", "code"), TABLE, ids=[row[0] for row in TABLE])
async def test_every_customer_may_see_what_is_bought_together_and_what_is_popular(
    shop: Shop, path: str, who: str, headers: Callable[[Shop], Headers], status: int, code: str
) -> None:
    await shop.publish(VERSION)
    found, answer = await shop.client.get(path, headers(shop))
    expected = (200, "") if who == "other customer" else (status, code)
    assert (found, answer.get("error", {}).get("code", "")) == expected, who


async def test_a_customer_cannot_tell_which_orders_exist(shop: Shop) -> None:
    guest = f"g{uuid.uuid4().hex[:10]}"
    await shop.store([one_part(guest, customer_id=None)])
    await shop.store([one_part(ORDER, customer_id=OWNER)])
    answers = [
        await shop.client.get(f"/v1/orders/{order_id}", shop.customer(OTHER))
        for order_id in (ORDER, guest, "none-such")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 403


async def test_the_specification_needs_no_token(shop: Shop) -> None:
    status, document = await shop.client.get("/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
