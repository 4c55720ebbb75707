"""Whatever a client sends, the storefront answers as its specification says."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.component.storefront.conftest import Shop
from tests.component.storefront.versions import TRAINED_UNTIL, Version, an_article
from tests.orders import a_line, one_part

EXAMPLES = 60
TIMEOUT_S = 150
# A cursor is text to the schema, but only we can make one.
CONFIG = """
[[operations]]
include-operation-id = "customer_orders"
checks.positive_data_acceptance.expected-statuses = ["200", "400"]
"""


async def test_the_storefront_keeps_its_specification(shop: Shop, tmp_path: Path) -> None:
    # Identifiers that generated requests hit.
    await shop.store([one_part(at, [a_line(), a_line("2")], customer_id="0") for at in ("0", "00", "A")])
    await shop.publish(
        Version("schema", TRAINED_UNTIL)
        .customer(
            "0", [an_article("a", because="b"), an_article("c", because=None)], [an_article("d", times=2)]
        )
        .product("0", [an_article("a", times=1)])
        .popular("A", [an_article("e", times=9, description=None)])
        .popular(None, [an_article("f", times=9), an_article("0", times=9)])
    )
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    authorization = shop.operator()["Authorization"]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{shop.client.url}/openapi.json",
        "--header",
        f"Authorization: {authorization}",
        "--checks",
        "all",
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "1",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()[-6000:]


async def test_the_specification_names_every_route_and_no_other(shop: Shop) -> None:
    _, document = await shop.client.get("/openapi.json")
    assert set(document["paths"]) == {
        "/v1/customers/{customer_id}/orders",
        "/v1/orders/{order_id}",
        "/v1/customers/{customer_id}/recommendations",
        "/v1/products/{stock_code}/also-bought",
        "/v1/popular",
        "/openapi.json",
    }
    assert json.dumps(document)
