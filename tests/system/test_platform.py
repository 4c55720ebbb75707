"""What a sender may do to the platform that holds all of the real data: copy, repeat, contradict, send the largest."""

from __future__ import annotations

import json
import uuid
from typing import Any

import aiohttp
import pytest

from deploy.local import drain, plan, stored
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams import rejected_reader
from tests.fault.waiting import until
from tests.system.conftest import DEMO_TIMEOUT_S, Platform

pytestmark = pytest.mark.timeout(DEMO_TIMEOUT_S + 60)

SENDER = "system-test"
DEADLINE_S = 60


async def read(platform: Platform, http: aiohttp.ClientSession, order_id: str, source: str) -> dict[str, Any]:
    """The order as the storefront gives it now; empty where there is none."""
    url = f"{platform.target.storefront}/v1/orders/{order_id}"
    headers = platform.headers("operator", "operator")
    async with http.get(url, params={"source": source}, headers=headers) as response:
        assert response.status in (200, 404), await response.text()
        return dict(await response.json()) if response.status == 200 else {}


async def post(platform: Platform, http: aiohttp.ClientSession, order: dict[str, Any]) -> dict[str, Any]:
    """Sends an order that has to be acknowledged."""
    body = json.dumps(order, separators=(",", ":")).encode()
    headers = {**platform.headers("sender", SENDER), "Content-Type": "application/json"}
    async with http.post(f"{platform.target.order_ingest}/v1/orders", data=body, headers=headers) as response:
        assert response.status == 202, await response.text()
        return dict(await response.json())


def order_of(order_id: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "ordered_at": "2012-01-05T10:00:00Z",
        "customer_id": "system-test",
        "country": "France",
        "currency": "EUR",
        "lines": lines,
    }


async def test_files_that_are_copied_over_themselves_double_nothing(
    platform: Platform, http: aiohttp.ClientSession, dynamodb: DynamoDB
) -> None:
    source = platform.target.file_source
    before = await lines_of(platform, dynamodb, source)
    marker = f"marker-{uuid.uuid4().hex[:8]}"
    files = sorted(platform.layout.order_files.glob("*.csv"))
    assert len(files) == 8
    for file in files:
        content = file.read_bytes()
        if file == files[-1]:
            # The line after the copied ones shows that the copy was read to its end.
            content += f"{marker},M,MARKER,1,2012-01-05 10:00:00,1.00,,France\n".encode()
        copy = file.with_name(f".{file.name}.copy")
        copy.write_bytes(content)
        copy.replace(file)

    async def marker_is_there() -> bool:
        return bool(await read(platform, http, marker, source))

    await until(marker_is_there, DEADLINE_S, "the line after the copied ones is readable")
    await drain.until_drained(platform.target, 0)
    after = await lines_of(platform, dynamodb, source)
    assert after.pop(marker) == [f"{files[-1].name}:{files[-1].read_bytes().index(marker.encode())}"]
    assert after == before


async def lines_of(platform: Platform, dynamodb: DynamoDB, source: str) -> dict[str, list[str]]:
    parts = await stored.read(dynamodb, platform.target.order_history)
    return {
        order_id: sorted(stored.unite(sender, order_id, held).lines)
        for (sender, order_id), held in parts.items()
        if sender == source
    }


async def test_a_resend_that_contradicts_is_rejected_and_the_first_content_stays(
    platform: Platform, http: aiohttp.ClientSession, kinesis: Kinesis
) -> None:
    order_id = f"conflict-{uuid.uuid4().hex[:8]}"
    line = {"line_id": "1", "stock_code": "22423", "quantity": 1, "unit_price": "12.75"}
    first = order_of(order_id, [line])
    await post(platform, http, first)
    await post(platform, http, first)
    await post(platform, http, order_of(order_id, [{**line, "quantity": 2}]))

    async def letters() -> list[dict[str, Any]]:
        found = await rejected_reader.read_all(kinesis, f"{platform.target.namespace}-rejected")
        return [letter for letter in found if order_id.encode() in letter["data"]]

    async def letter_is_there() -> bool:
        return bool(await letters())

    await until(letter_is_there, DEADLINE_S, "the contradicting order is in `rejected`", poll_s=0.5)
    (letter,) = await letters()
    assert letter["reason"] == "conflicting_duplicate"
    assert json.loads(letter["data"])["lines"][0]["quantity"] == 2
    order = await read(platform, http, order_id, SENDER)
    assert [one["quantity"] for one in order["lines"]] == [1]


async def test_an_order_of_20000_lines_is_read_whole(platform: Platform, http: aiohttp.ClientSession) -> None:
    order_id = f"large-{uuid.uuid4().hex[:8]}"
    lines = [{"stock_code": "A", "quantity": 1 + n % 9, "unit_price": "1"} for n in range(20_000)]
    answer = await post(platform, http, order_of(order_id, lines))
    assert answer["lines"] == 20_000
    assert answer["records"] > 1

    async def all_there() -> bool:
        return len((await read(platform, http, order_id, SENDER)).get("lines", ())) == 20_000

    await until(all_there, DEADLINE_S, "all 20,000 lines are readable", poll_s=0.25)
    order = await read(platform, http, order_id, SENDER)
    assert {line["line_id"]: line["quantity"] for line in order["lines"]} == {
        str(ordinal): line["quantity"] for ordinal, line in enumerate(lines, 1)
    }


@pytest.mark.parametrize("service", ["order_ingest", "storefront"])
async def test_each_api_describes_itself(
    platform: Platform, http: aiohttp.ClientSession, service: str
) -> None:
    url = platform.target.order_ingest if service == "order_ingest" else platform.target.storefront
    async with http.get(f"{url}/openapi.json") as response:
        assert response.status == 200
        document = await response.json(content_type=None)
    assert document["openapi"].startswith("3.")
    assert any(path.startswith("/v1/") for path in document["paths"])


async def test_status_tells_of_everything_and_of_no_lag_once_all_is_stored(platform: Platform) -> None:
    await drain.until_drained(platform.target, 0)
    said = platform.command("status", "--json")
    assert said.returncode == 0, said.stdout
    status = json.loads(said.stdout)
    assert status["state"] == "up"
    assert {row["name"] for row in status["engines"]} == set(plan.read().engines)
    services = {row["name"]: row for row in status["services"]}
    assert set(services) == {service.name for service in plan.read().services}
    for row in [*status["engines"], *services.values()]:
        assert (row["state"], row["restarts"]) == ("ready", 0)
        assert row["pid"] > 0
    for name in ("dynamodb_writer", "order_file_ingest"):
        assert services[name]["lag_s"] < 1.0
        assert services[name]["rate_per_s"] is not None
