"""The expectation itself is right: the orders, the ledger's bookkeeping, and a judge that can say no."""

from __future__ import annotations

import asyncio
import csv
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fault import orders, store
from tests.fault.ledger import FileSender, HttpSender, Ledger


def test_orders_are_seeded_and_of_realistic_sizes() -> None:
    first = orders.http_orders(2000, 1, "shop")
    assert first == orders.http_orders(2000, 1, "shop")
    assert first[0] != orders.http_orders(1, 2, "shop")[0]
    sizes = [len(order.lines) for order in first]
    assert 15 < sum(sizes) / len(sizes) < 27
    assert max(sizes) > 200
    assert min(sizes) == 1
    assert 10 < sum(not order.valid for order in first) < 80
    assert any(order.body["customer_id"] is None for order in first)
    assert len({identity for order in first for identity in order.lines}) == sum(sizes)


def test_order_files_have_true_offsets_and_invoices_cut_between_files() -> None:
    files = orders.order_files(600, 4, 5, "till")
    assert files == orders.order_files(600, 4, 5, "till")
    assert sum(len(lines) for _, lines in files) == 600
    for name, lines in files:
        whole = b"".join(line.data for line in lines)
        for line in lines:
            offset = int(line.identity.line_id.removeprefix(f"{name}:"))
            assert whole[offset : offset + len(line.data)] == line.data
            fields = next(csv.reader([line.data.decode().rstrip("\n")]))
            assert len(fields) == 8
            assert fields[0] == line.identity.order_id
    in_files = [{line.identity.order_id for line in lines} for _, lines in files]
    assert any(one & other for one, other in itertools.pairwise(in_files))


def test_summer_time_is_an_hour_off() -> None:
    seen: Counter[int] = Counter()
    for _, lines in orders.order_files(2000, 1, 3, "till"):
        for line in lines:
            wall_clock = next(csv.reader([line.data.decode()]))[4]
            offset_h = int(wall_clock[11:13]) - int(line.content.ordered_at[11:13])
            seen[offset_h] += 1
    assert set(seen) == {0, 1}


async def test_the_http_sender_asks_until_it_knows() -> None:
    asked: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.Response:
        order: dict[str, Any] = await request.json()
        asked[order["order_id"]] += 1
        if not isinstance(order["lines"][-1]["quantity"], int):
            return web.Response(status=422)
        turn = asked[order["order_id"]]
        if turn == 1 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=(503, 503, 202)[min(turn, 3) - 1])

    app = web.Application()
    app.router.add_post("/v1/orders", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ledger, sent = Ledger(), orders.http_orders(60, 1, "shop")
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await HttpSender(ledger, lambda: url, "token").send(sent)
    await runner.cleanup()

    valid = {order.body["order_id"] for order in sent if order.valid}
    assert ledger.acknowledged == valid
    assert set(ledger.refused) == {order.body["order_id"] for order in sent} - valid
    assert set(ledger.refused.values()) == {422}
    assert not ledger.unknown
    assert ledger.in_flight == 0
    assert ledger.answers == {"cut": len(valid), "503": len(valid), "202": len(valid), "422": 60 - len(valid)}
    assert len(ledger.certain) == sum(len(order.lines) for order in sent if order.valid)


async def test_the_file_sender_books_what_is_on_the_disk(tmp_path: Path) -> None:
    ledger, files = Ledger(), orders.order_files(100, 3, 2, "till")
    sending = asyncio.ensure_future(FileSender(ledger, tmp_path, 2).send(files))
    while not sending.done():
        for name, size_bytes in ledger.durable_bytes.items():
            assert (tmp_path / name).stat().st_size >= size_bytes
        await asyncio.sleep(0)
    await sending
    assert ledger.durable_lines == 100 == len(ledger.certain)
    for name, lines in files:
        assert (tmp_path / name).read_bytes() == b"".join(line.data for line in lines)


def _stored(ledger: Ledger) -> store.Stored:
    return store.Stored({identity: {content} for identity, content in ledger.certain.items()})


def test_the_judge_finds_every_kind_of_difference() -> None:
    ledger = Ledger()
    first, second, third = (order for order in orders.http_orders(10, 1, "shop")[:3])
    ledger.settle(first, 202)
    ledger.settle(second, None)
    ledger.settle(third, 422)
    assert store.differences(_stored(ledger), ledger) == []

    some = next(iter(first.lines))
    lost = _stored(ledger)
    del lost.contents[some]
    assert store.differences(lost, ledger)[0].startswith("lost: 1")

    other = first.lines[some]._replace(quantity=first.lines[some].quantity + 1)
    doubled = _stored(ledger)
    doubled.contents[some].add(other)
    assert [told.split(":")[0] for told in store.differences(doubled, ledger)] == ["two contents"]

    altered = _stored(ledger)
    altered.contents[some] = {other}
    assert [told.split(":")[0] for told in store.differences(altered, ledger)] == ["altered"]

    unknown_arrived = _stored(ledger)
    unknown_arrived.contents |= {identity: {content} for identity, content in second.lines.items()}
    assert store.differences(unknown_arrived, ledger) == []

    refused_arrived = _stored(ledger)
    refused_arrived.contents |= {identity: {content} for identity, content in third.lines.items()}
    assert [told.split(":")[0] for told in store.differences(refused_arrived, ledger)] == ["from nowhere"]
