"""The recommendations' section of the demonstration: trained on the lake, and one customer's four lists at the shop."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from deploy.local import demo_warehouse, recommend, warehouse
from deploy.local.ledger import Ledger
from deploy.local.secret_files import token
from deploy.local.section import Context, Section
from deploy.local.target import Target

CUSTOMER = "14911"
"""Orders nearly every week, from Ireland."""
SHOWN = 5
_TIMEOUT_S = 10
_TITLES = {
    "you_may_like": "You may like",
    "buy_again": "Buy again",
    "also_bought": "Customers who bought {} also bought",
    "popular": "Popular in {}",
}


async def run(context: Context) -> Section:
    """Loads the lake if nobody did, trains, publishes, and asks the storefront as the shop's app would."""
    target, say = context.target, context.say
    if "warehouse" not in context.before:
        await _load(context)
    done = await recommend.refresh(target, say)
    result = done.as_json()
    section = Section(
        "recommendations",
        "Recommendations",
        done.code == 0,
        list(recommend.rows(done)),
        ["", *recommend.told(done)],
        result,
    )
    if section.ok:
        lists = four_lists(target)
        section.ok = all(shown["items"] for shown in lists.values())
        section.notes += shown_lists(lists)
        result["lists"] = lists
    return section


async def _load(context: Context) -> None:
    """Brings the real data into the lake.

    Raises:
        RuntimeError: the lake's load failed.
    """
    target = context.target
    with Ledger(target.ledger_file, target.run_id) as ledger:
        await demo_warehouse.ensure_sent(context, ledger)
        loaded = await warehouse.load(context.target, ledger, context.say)
    if loaded.code:
        raise RuntimeError(f"{warehouse.SENTENCES[warehouse.LOAD]} ended with {loaded.code}")


def four_lists(target: Target) -> dict[str, dict[str, Any]]:
    """What the shop's app shows to one customer, by list; the product is the first that it recommends.

    Raises:
        RuntimeError: the storefront did not answer with 200.
    """
    own = f"/v1/customers/{CUSTOMER}/recommendations"
    lists = {name: _get(target, own, list=name) for name in ("you_may_like", "buy_again")}
    product = lists["you_may_like"]["items"][0]["stock_code"]
    lists["also_bought"] = _get(target, f"/v1/products/{product}/also-bought")
    lists["popular"] = _get(target, own, list="popular")
    return lists


def _get(target: Target, path: str, **parameters: str) -> dict[str, Any]:
    query = urllib.parse.urlencode({**parameters, "limit": SHOWN})
    headers = {"Authorization": f"Bearer {token(target.layout, 'customer', CUSTOMER)}"}
    asked = urllib.request.Request(f"{target.storefront}{path}?{query}", headers=headers)  # noqa: S310 - http to ourselves
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http to ourselves
            return dict(json.loads(answer.read()))
    except OSError as error:
        raise RuntimeError(f"{path}: {error}") from error


def shown_lists(lists: dict[str, dict[str, Any]]) -> list[str]:
    """The lists with product names and reasons, for people."""
    product = lists["you_may_like"]["items"][0]
    country = lists["popular"].get("country")
    words = {"also_bought": product["description"] or product["stock_code"], "popular": country}
    lines = [f"What the shop shows to customer {CUSTOMER}:"]
    for name, shown in lists.items():
        lines += ["", f"  {_TITLES[name].format(words.get(name))}"]
        for item in shown["items"]:
            lines.append(f"    {item['stock_code']:<8}{item['description'] or '':<38}{item['text']}")
    return lines
