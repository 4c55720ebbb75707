"""Whatever the service does, an order ends acknowledged or refused, and the ledger says which."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.local import replay_http, retail
from deploy.local.ledger import Ledger
from deploy.local.replay_http import Encoded, GaveUp, HttpSender, NotAccepted, encode

ORDERS = [Encoded(str(number), 2, json.dumps({"order_id": str(number)}).encode()) for number in range(20)]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """A stand-in for order_ingest whose first answers are scripted; after those it takes everything."""

    def __init__(self) -> None:
        self.script: list[Handler] = []
        self.taken: list[str] = []
        self.requests = 0
        self.statuses: dict[str, int] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if self.script:
            return await self.script.pop(0)(request)
        if request.path == "/v1/orders":
            order_id = json.loads(await request.read())["order_id"]
            status = self.statuses.get(order_id, 202)
            return web.json_response({"order_id": order_id, "error": {"code": "x"}}, status=status)
        return await self.batch(request)

    async def batch(self, request: web.Request, answers: int | None = None) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(len(ORDERS) if answers is None else answers):
            line = await request.content.readline()
            if not line:
                break
            order_id = json.loads(line)["order_id"]
            status = self.statuses.get(order_id, 202)
            result: dict[str, Any] = {"order_id": order_id, "status": status}
            if status == 202:
                self.taken.append(order_id)
            else:
                result["error"] = {"code": "contract_violation", "message": "", "details": []}
            await response.write(json.dumps(result).encode() + b"\n")
        return response


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.jsonl", "run") as held:
        yield held


@pytest.fixture(params=[4, 64], ids=["narrow", "wide"])
async def sender(
    request: pytest.FixtureRequest, service: Service, ledger: Ledger
) -> AsyncIterator[HttpSender]:
    app = web.Application()
    app.router.add_post("/v1/{path:.*}", service.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        made = HttpSender(session, str(server.make_url("")), "token", "shop", ledger)
        made._window.limit = request.param
        yield made
        assert made._window.open == 0


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_http, "LARGEST_PAUSE_S", 0.01)


def all_acknowledged(ledger: Ledger) -> bool:
    return {ledger.outcome("shop", order.order_id) for order in ORDERS} == {"acknowledged"}


async def test_a_batch_is_acknowledged_order_by_order(
    service: Service, sender: HttpSender, ledger: Ledger
) -> None:
    service.statuses["7"] = 422
    await sender.send_batch(ORDERS)
    assert ledger.orders["shop", "7"].outcome == "refused"
    assert ledger.orders["shop", "7"].detail == "422 contract_violation"
    assert ledger.counts()["orders_acknowledged"] == len(ORDERS) - 1
    assert (service.requests, sender.sent_again) == (1, 0)


async def test_orders_without_an_answer_are_unknown_and_sent_again(
    service: Service, sender: HttpSender, ledger: Ledger
) -> None:
    async def answer_five(request: web.Request) -> web.StreamResponse:
        return await service.batch(request, answers=5)

    service.script = [answer_five]
    await sender.send_batch(ORDERS)
    assert all_acknowledged(ledger)
    assert service.taken == [order.order_id for order in ORDERS]
    assert sender.sent_again == 15
    text = ledger.path.read_text()
    assert text.count('"unknown"') == 15


async def test_a_cut_connection_is_survived(service: Service, sender: HttpSender, ledger: Ledger) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"order_id":"0","status":202}\n{"order_id":"1","sta')
        assert request.transport is not None
        request.transport.close()
        return response

    service.script = [cut]
    await sender.send_batch(ORDERS)
    assert all_acknowledged(ledger)
    assert "0" not in service.taken


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_was_not_taken_is_sent_again(
    service: Service, sender: HttpSender, ledger: Ledger, status: int
) -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": "busy"}}, status=status, headers={"Retry-After": "0"})

    service.script = [away, away]
    await sender.send_batch(ORDERS)
    assert all_acknowledged(ledger)
    service.script = [away, away]
    await sender.send_single(Encoded("single", 1, b'{"order_id":"single"}'))
    assert ledger.outcome("shop", "single") == "acknowledged"


async def test_a_service_that_drains_says_so_and_gets_the_rest_again(
    service: Service, sender: HttpSender, ledger: Ledger
) -> None:
    async def drain(request: web.Request) -> web.StreamResponse:
        response = await service.batch(request, answers=3)
        await response.write(b'{"status":503,"error":{"code":"draining","message":"","details":[]}}\n')
        return response

    service.script = [drain]
    await sender.send_batch(ORDERS)
    assert all_acknowledged(ledger)
    assert sender.last_failure == "503 draining"


async def test_one_order_of_a_batch_that_was_throttled_is_sent_again(
    service: Service, sender: HttpSender, ledger: Ledger
) -> None:
    async def throttle_three(request: web.Request) -> web.StreamResponse:
        service.statuses["3"] = 503
        response = await service.batch(request)
        del service.statuses["3"]
        return response

    service.script = [throttle_three]
    await sender.send_batch(ORDERS)
    assert all_acknowledged(ledger)
    assert service.taken[-1] == "3"


async def test_a_single_order_that_breaks_the_contract_is_refused(
    service: Service, sender: HttpSender, ledger: Ledger
) -> None:
    service.statuses["bad"] = 422
    await sender.send_single(Encoded("bad", 1, b'{"order_id":"bad"}'))
    assert ledger.orders["shop", "bad"].detail == "422 x"


@pytest.mark.parametrize("batch", [True, False])
async def test_a_sender_who_is_not_accepted_stops(service: Service, sender: HttpSender, batch: bool) -> None:
    async def forbid(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": "wrong_role"}}, status=403)

    service.script = [forbid]
    with pytest.raises(NotAccepted, match="403 wrong_role"):
        await (sender.send_batch(ORDERS) if batch else sender.send_single(ORDERS[0]))


async def test_patience_ends(service: Service, sender: HttpSender) -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": "busy"}}, status=503)

    service.script = [away] * 10_000
    sender._patience_s = 0.1
    with pytest.raises(GaveUp, match="503 busy"):
        await sender.send_batch(ORDERS)


def test_a_line_tells_its_time_only_where_it_differs() -> None:
    first, second, third = islice(retail.lines(), 3)
    later = second._replace(ordered_at="2010-12-01T08:27:00.000Z")
    invoice = retail.Invoice(first.invoice_no, [first, later, third])
    body = json.loads(encode(invoice, with_line_ids=True).body)
    assert body["ordered_at"] == invoice.ordered_at
    times = [line.get("ordered_at", body["ordered_at"]) for line in body["lines"]]
    assert times == [line.ordered_at for line in invoice.lines]
    assert [line["line_id"] for line in body["lines"]] == [
        str(number) for number in range(1, len(invoice.lines) + 1)
    ]
    assert all("line_id" not in line for line in json.loads(encode(invoice).body)["lines"])
