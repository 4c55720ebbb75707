"""order_file_ingest as a process on the real engines: its README's promises, told by what the streams hold."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts import codec
from services.kernel.streams.records import Position
from tests.component.order_path import OrderPath, order_path, until
from tests.conftest import StartService
from tests.engines import Engines, local_environment
from tests.processes import ROOT, ServiceProcess

SOURCE = "till-7"
_decode = codec.decoder("order", 1)


@dataclass
class Shop:
    """A folder that a till writes order files to, and the streams behind it."""

    path: OrderPath
    folder: Path
    start_service: StartService

    def settings(self, **more: str) -> dict[str, str]:
        """What the service is told: small times, so that a test need not wait."""
        return {
            "CADABRA_ORDER_FILES_FOLDER": str(self.folder),
            "CADABRA_ORDER_FILES_SOURCE": SOURCE,
            "CADABRA_ORDER_FILES_POLL_S": "0.1",
            "CADABRA_ORDER_FILES_IDLE_S": "0.3",
            "CADABRA_ORDER_FILES_HOLD_S": "1",
            "CADABRA_ORDER_FILES_GRACE_S": "1",
            "CADABRA_LEASE_TIME_S": "2",
            **more,
        }

    async def start(self, **more: str) -> ServiceProcess:
        """One worker."""
        return await self.start_service("order_file_ingest", **self.settings(**more))

    def append(self, name: str, data: bytes) -> None:
        """Write on at the end of a file, durably."""
        with (self.folder / name).open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    async def parts(self) -> list[codec.Order]:
        """Every record of the stream of orders, decoded and checked against its contract."""
        stream, kinesis = f"{self.path.namespace}-orders", self.path.kinesis
        found: list[codec.Order] = []
        for shard in await kinesis.list_shards(stream):
            iterator: str | None = await kinesis.shard_iterator(
                stream, shard.shard_id, Position.trim_horizon()
            )
            while iterator is not None:
                fetch = await kinesis.get_records(iterator, stream=stream)
                found += [_decode(record.data) for record in fetch.records]
                for record in fetch.records:
                    assert record.partition_key.startswith(f"{SOURCE}/")
                iterator = fetch.next_iterator if fetch.records or fetch.millis_behind_latest else None
        return found

    async def lines(self) -> dict[str, tuple[Any, ...]]:
        """Every line by identity; fails when one identity came with two contents."""
        lines: dict[str, tuple[Any, ...]] = {}
        for part in await self.parts():
            assert (part.source, part.currency) == (SOURCE, "GBP")
            for line in part.lines:
                content = (part.order_id, part.customer_id, part.country, part.kind, line)
                assert lines.setdefault(line.line_id, content) == content
        return lines

    def expected(self) -> set[str]:
        """The identity of every complete line in the folder, by a reading of its own."""
        ids = set()
        for file in self.folder.glob("*.csv"):
            offset = 0
            for text in file.read_bytes().splitlines(keepends=True):
                if text.endswith(b"\n"):
                    ids.add(f"{file.name}:{offset}")
                offset += len(text)
        return ids

    async def position(self, name: str) -> dict[str, Any]:
        """The item of a file in the table of positions."""
        table, key = f"{self.path.namespace}-order_file_positions", {"file": {"S": f"{SOURCE}/{name}"}}
        return await self.path.dynamodb.get_item(table, key) or {}

    async def until_read(self, *names: str, timeout_s: float = 40.0) -> None:
        """Wait until the durable positions are the files' ends."""

        async def all_read() -> bool:
            for name in names:
                item = await self.position(name)
                if not item or int(item["position"]["N"]) != (self.folder / name).stat().st_size:
                    return False
            return True

        await until(all_read, f"{names} read", timeout_s)


@pytest.fixture
async def shop(
    engines: Engines, namespace: str, start_service: StartService, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A fresh folder with fresh streams."""
    (tmp_path / "orders").mkdir()
    async with order_path(engines, namespace) as path:
        yield Shop(path, tmp_path / "orders", start_service)


def order_line(invoice: int | str, n: int = 0, minute: int = 26, description: str = "A LAMP ") -> bytes:
    """One line of an order file, in summer time."""
    return f"{invoice},S{n},{description},{n + 1},2011-07-01 08:{minute:02d}:00,2.55,17850,France\n".encode()


async def sample(process: ServiceProcess, name: str) -> float:
    """One metric of the service."""
    return (await process.metrics()).get(f"cadabra_order_file_ingest_{name}", 0.0)


def metric_is(process: ServiceProcess, name: str, value: float) -> Callable[[], Awaitable[bool]]:
    """A condition on one metric."""

    async def condition() -> bool:
        return await sample(process, name) == value

    return condition


async def test_files_appear_one_after_another_and_an_invoice_is_cut_between_two(shop: Shop) -> None:
    service = await shop.start()
    header = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Customer,Country\n"
    shop.append("2011-07-01T08.csv", header + order_line(1, 0) + order_line(1, 1) + order_line(2, 0))
    await shop.until_read("2011-07-01T08.csv")
    shop.append("2011-07-01T09.csv", order_line(2, 1) + order_line("C3", 0).replace(b"17850", b""))
    await shop.until_read("2011-07-01T09.csv")
    parts = sorted(await shop.parts(), key=lambda part: (part.order_id, part.lines[0].line_id))
    assert [(part.order_id, part.kind, part.customer_id, len(part.lines)) for part in parts] == [
        ("1", "sale", "17850", 2),
        ("2", "sale", "17850", 1),
        ("2", "sale", "17850", 1),
        ("C3", "cancellation", None, 1),
    ]
    assert parts[0].ordered_at == "2011-07-01T07:26:00.000Z"
    assert parts[0].lines[0].description == "A LAMP "
    assert {line.line_id for line in parts[0].lines} == {
        f"2011-07-01T08.csv:{len(header)}",
        f"2011-07-01T08.csv:{len(header) + len(order_line(1, 0))}",
    }
    service.terminate()
    assert await service.wait() == 0
    assert "lease_owner" not in await shop.position("2011-07-01T09.csv")


async def test_a_half_written_line_is_sent_once_it_is_whole(shop: Shop) -> None:
    service = await shop.start()
    whole, half = order_line(1), order_line(2, description="HALF, ".replace(",", ""))
    shop.append("a.csv", whole + half[:30])
    await until(metric_is(service, 'files{state="unfinished"}', 1), "the half line is seen")
    assert set(await shop.lines()) == {"a.csv:0"}
    assert (await shop.position("a.csv"))["position"]["N"] == str(len(whole))
    shop.append("a.csv", half[30:])
    await shop.until_read("a.csv")
    assert (await shop.lines())[f"a.csv:{len(whole)}"][4].description == "HALF "


async def test_bad_lines_are_in_rejected_with_file_offset_and_bytes(shop: Shop) -> None:
    service = await shop.start(CADABRA_ORDER_FILES_MAX_LINE_BYTES="1024")
    bad = {
        "csv_malformed": b'3,S1,"no end,1,2011-07-01 08:26:00,2.55,17850,France\n',
        "contract_violation": b"3,S1,X,1,2011-03-27 01:30:00,2.55,17850,France\n",
        "invalid_encoding": b"3,S1,\xa35 OFF,1,2011-07-01 08:26:00,2.55,17850,France\n",
        "line_too_long": b"y" * 3000 + b"\n",
    }
    content = order_line(3, 0) + b"".join(one + order_line(3, n) for n, one in enumerate(bad.values(), 1))
    shop.append("a.csv", content)
    await shop.until_read("a.csv")
    letters = {letter["reason"]: letter for letter in await shop.path.rejected()}
    assert letters.keys() == bad.keys()
    for reason, text in bad.items():
        letter = letters[reason]
        assert (letter["file"], letter["offset"], letter["source"]) == ("a.csv", content.index(text), SOURCE)
        assert letter["service"] == "order_file_ingest"
        assert letter["data"] == text[:-1][:1024]
    assert [one["pointer"] for one in letters["contract_violation"]["details"]] == ["/InvoiceDate"]
    (part,) = await shop.parts()
    assert len(part.lines) == 5
    assert await sample(service, 'rejected_total{reason="csv_malformed"}') == 1


async def test_a_copy_doubles_nothing_and_other_bytes_are_refused(shop: Shop) -> None:
    service = await shop.start()
    content = b"".join(order_line(n) for n in range(50))
    shop.append("a.csv", content)
    await shop.until_read("a.csv")
    records = len(await shop.parts())
    (shop.folder / "a.csv").unlink()
    await until(metric_is(service, 'files{state="done"}', 0), "the deletion is seen")
    shop.append("a.csv", content)  # another inode
    await until(metric_is(service, 'files{state="done"}', 1), "the copy is seen")
    (shop.folder / "a.csv").write_bytes(content)  # cut and written again
    await until(metric_is(service, 'files{state="done"}', 1), "the second copy is seen")
    service.terminate()
    assert await service.wait() == 0
    service = await shop.start()
    await until(metric_is(service, 'files{state="done"}', 1), "known after a restart")
    assert len(await shop.parts()) == records
    assert await shop.path.rejected() == []
    (shop.folder / "a.csv").write_bytes(order_line(99) + content)
    await until(metric_is(service, 'files{state="refused"}', 1), "other bytes are refused")
    (letter,) = await shop.path.rejected()
    assert (letter["reason"], letter["file"], letter["offset"]) == ("file_changed", "a.csv", len(content))
    assert letter["data"].startswith(order_line(99))
    shop.append("b.csv", order_line(100))
    await shop.until_read("b.csv")
    assert {part.order_id for part in await shop.parts()} == {str(n) for n in (*range(50), 100)}
    assert await sample(service, 'file_errors_total{kind="changed"}') == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_restarts_in_good_order_and_by_kill_lose_and_double_nothing(shop: Shop, seed: int) -> None:
    rng = random.Random(seed)
    lines = [order_line(1000 + n // 7, n % 7, minute=n // 700 % 60) for n in range(6000)]
    names = ["a.csv", "b.csv", "c.csv"]
    pieces = [b"".join(lines[at : at + 200]) for at in range(0, len(lines), 200)]

    async def write() -> None:
        """Goes on whatever happens to the worker; now and then a line is written in two halves."""
        for number, piece in enumerate(pieces):
            cut = rng.randrange(len(piece))
            shop.append(names[number * 3 // len(pieces)], piece[:cut])
            await asyncio.sleep(0.05)
            shop.append(names[number * 3 // len(pieces)], piece[cut:])

    writer = asyncio.create_task(write())
    open_work = 0
    for kill in (True, False, True):
        service = await shop.start()
        read = rng.randrange(200, 1200)

        async def far_enough(service: ServiceProcess = service, read: int = read) -> bool:
            return await sample(service, 'lines_total{outcome="accepted"}') >= read or writer.done()

        await until(far_enough, "some lines are read")
        open_work += await sample(service, "lag_bytes") > 0 or not writer.done()
        if kill:
            service.kill9()
        else:
            service.terminate()
            assert await service.wait() == 0
    assert open_work == 3
    await writer
    await shop.start()
    await shop.until_read(*names)
    assert set(await shop.lines()) == shop.expected()
    assert await shop.path.rejected() == []


async def test_two_workers_share_a_folder_and_one_is_killed(shop: Shop) -> None:
    more = {"CADABRA_ORDER_FILES_MAX_OPEN": "3", "CADABRA_ORDER_FILES_HOLD_S": "60"}
    workers = [await shop.start(**more) for _ in range(2)]
    names = [f"{n}.csv" for n in range(6)]
    for n, name in enumerate(names):
        shop.append(name, b"".join(order_line(n, k) for k in range(100)))
    await shop.until_read(*names)

    async def owners() -> Counter[str]:
        items = [await shop.position(name) for name in names]
        return Counter(item["lease_owner"]["S"].rpartition("-")[0] for item in items if "lease_owner" in item)

    grown = itertools.count(100)

    async def shared() -> bool:
        # Which files, and whether a file that was read to its end is held at all, is the workers' own business: they
        # grow, so that a worker that came late finds work too.
        k = next(grown)
        for n, name in enumerate(names):
            shop.append(name, order_line(n, k))
        return len(await owners()) == len(workers)

    await until(shared, "each worker holds files")
    victim, survivor = workers
    victim.kill9()
    for n, name in enumerate(names):
        shop.append(name, b"".join(order_line(n, k, minute=27) for k in range(100)))
    await shop.until_read(*names)
    assert set(await shop.lines()) == shop.expected()
    assert await sample(survivor, 'leases_total{event="lost"}') == 0
    assert survivor.running


async def test_a_file_of_bad_lines_is_paused_and_an_operator_resumes_it(shop: Shop, engines: Engines) -> None:
    service = await shop.start()
    shop.append("bad.csv", b"".join(b"bad\n" + order_line(n) for n in range(150)))
    shop.append("good.csv", order_line(1000))
    await until(metric_is(service, 'files{state="paused"}', 1), "the bad file is paused")
    await shop.until_read("good.csv")
    assert (await shop.position("bad.csv"))["state"]["S"] == "paused"
    environment = {
        **local_environment(engines),
        **shop.settings(),
        "CADABRA_NAMESPACE": shop.path.namespace,
    }
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.order_file_ingest", "resume", "bad.csv", "--whole"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout.split(":")[0]) == (0, "resumed"), told.stderr
    await shop.until_read("bad.csv")
    assert len(await shop.path.rejected()) == 150
    assert {part.order_id for part in await shop.parts()} == {str(n) for n in (*range(150), 1000)}


async def test_what_is_missing_is_said_before_ready(shop: Shop) -> None:
    with pytest.raises(RuntimeError, match=r"exit code 78\)[\s\S]*is no folder"):
        await shop.start(CADABRA_ORDER_FILES_FOLDER="/nowhere")
    with pytest.raises(RuntimeError, match=r"exit code 78\)[\s\S]*CADABRA_ORDER_FILES_SOURCE"):
        await shop.start(CADABRA_ORDER_FILES_SOURCE="not a source")
    with pytest.raises(RuntimeError, match=r"exit code 69\)[\s\S]*stream nothing-orders"):
        await shop.start(CADABRA_NAMESPACE="nothing")
