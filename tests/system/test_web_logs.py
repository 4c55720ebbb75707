"""A real Apache under load, its log rotated every few seconds, everything behind it killed in turn: no line is lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts import catalog
from deploy.local import access_log, log_compare
from services.kernel import provision
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.retry import Retry
from tests import apache
from tests.apache import Apache
from tests.conftest import StartService
from tests.engines import EngineProcess, Engines, one_started
from tests.processes import ServiceProcess

pytestmark = pytest.mark.timeout(240)

LOAD_S = 24.0
REQUESTS_PER_S = 150
ROTATE_EVERY_S = 3.0
KILL_EVERY_S = 4.0
HOSTILE_LINES = 2_000
SETTLED_S = 60.0
REGION = "us-east-1"
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    'a "quoted" agent with a \\ in it',
    "-",
)


@dataclass(slots=True)
class Stage:
    """What runs in one test, and how it is brought back after a kill."""

    logs: Path
    start: StartService
    search_engine: EngineProcess
    search: OpenSearch
    indices: str
    settings: dict[str, dict[str, str]]
    running: dict[str, ServiceProcess] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)

    async def bring_up(self, name: str) -> None:
        """Start a service, for the first time or again."""
        self.running[name] = await self.start(name, **self.settings[name])

    async def kill(self, name: str) -> None:
        """End one part as a power cut would, leave it dead for a moment, and bring it back."""
        self.killed.append(name)
        if name == "opensearch":
            self.search_engine.kill9()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(self.search_engine.start_again)
        else:
            self.running[name].kill9()
            await asyncio.sleep(0.5)
            await self.bring_up(name)

    async def found(self) -> int:
        """How many documents there are; 0 where there is no index yet."""
        retry = Retry(cap_s=0.5, budget_s=SETTLED_S)  # it may have been killed a moment ago
        return await retry.call(lambda: self.search.count(self.indices, {"query": {"match_all": {}}}))

    async def until_found(self, lines: int) -> int:
        """Wait until there are so many documents, or more, or no more come; their number."""
        count, moved = -1, time.monotonic()
        while count < lines and time.monotonic() - moved < SETTLED_S:
            now = await self.found()
            if now != count:
                count, moved = now, time.monotonic()
            await asyncio.sleep(0.2)
        return count


@pytest.fixture
async def stage(
    engines: Engines, namespace: str, start_service: StartService, tmp_path: Path
) -> AsyncIterator[Stage]:
    """Streams, an OpenSearch of the test's own, a shipper and an indexer."""
    logs = tmp_path / "logs"
    positions = tmp_path / "positions"
    for folder in (logs, positions):
        folder.mkdir()
    with one_started("opensearch", tmp_path) as engine:
        where = {"CADABRA_OPENSEARCH_ENDPOINT": engine.url}
        shipper = {
            "CADABRA_LOG_GLOBS": f"{logs}/access.log,{logs}/hostile.log",
            "CADABRA_STATE_FOLDER": str(positions),
            "CADABRA_HOST_NAME": "web-1",
        }
        async with (
            Kinesis.open(engines.kinesis, REGION) as kinesis,
            DynamoDB.open(engines.dynamodb, REGION) as dynamodb,
            OpenSearch.open(engine.url, REGION) as search,
        ):
            await provision.provision(kinesis, dynamodb, namespace, catalog.load(), shards=2)
            settings = {"log_shipper": shipper, "log_indexer": {**where, "CADABRA_LEASE_TIME_S": "3"}}
            found = Stage(logs, start_service, engine, search, f"{namespace}-access-logs-*", settings)
            await found.bring_up("log_indexer")
            await found.bring_up("log_shipper")
            yield found


async def test_every_line_of_an_apache_is_one_document_whatever_is_killed(stage: Stage) -> None:
    with apache.started(stage.logs) as server:
        loading = asyncio.create_task(load(server, random.Random(7)))
        rotating = asyncio.create_task(rotate_again_and_again(server, loading))
        killing = asyncio.create_task(kill_in_turn(stage, loading))
        answered = await loading
        rotated = await rotating
        await killing
    files = [file for file in (*rotated, server.log) if file.exists() and file.stat().st_size]  # it has ended
    lines = [line for file in files for line in access_log.lines(file, file.read_bytes())]
    written = {target(line.text): line for line in lines}
    assert len(lines) >= answered
    assert len(rotated) >= 5
    assert set(stage.killed) == {"log_shipper", "log_indexer", "opensearch"}
    assert await stage.until_found(len(lines)) == len(lines)
    documents = [document async for document in all_documents(stage)]
    assert Counter(document["url"]["original"] for document in documents) == (
        Counter(target(line.text) for line in lines)
    )
    for document in documents:
        assert log_compare.says(document, written[document["url"]["original"]])
    assert len({(one["generation"], one["log"]["offset"]) for one in documents}) == len(documents)
    assert len({one["generation"] for one in documents}) == len(files)


async def test_hostile_lines_are_kept_and_harm_nothing(stage: Stage) -> None:
    lines = hostile_lines(random.Random(11))
    file = stage.logs / "hostile.log"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    assert await stage.until_found(len(lines)) == len(lines)
    documents = [document async for document in all_documents(stage)]
    by_offset = {document["log"]["offset"]: document for document in documents}
    assert len(by_offset) == len(lines)
    for written in access_log.lines(file, file.read_bytes()):
        assert written.offset in by_offset
    indices = await stage.search.indices(stage.indices)
    assert len(indices) <= 5, "dates of strangers made indices"
    for service in stage.running.values():
        assert service.running
        assert await service.is_ready()


def target(line: str) -> str:
    """What a line of the server says was asked for: every request of the load asks for another thing."""
    said = access_log.reading(line)
    assert said is not None, line
    return str(said["url.original"])


async def all_documents(stage: Stage) -> AsyncIterator[dict[str, Any]]:
    """Every document of the test."""
    await stage.search.refresh(stage.indices)
    query: dict[str, Any] = {"match_all": {}}
    async for document in log_compare.pages(stage.search, stage.indices, query):
        yield document


async def load(server: Apache, rng: random.Random) -> int:
    """Ask for pages at a steady rate, each under a name of its own; how many requests were answered."""
    started, number = time.monotonic(), 0

    async def one(number: int) -> bool:
        path = "/" if number % 3 else "/missing"
        headers = {"User-Agent": rng.choice(AGENTS), "Referer": f"https://example.org/?q={number}"}
        try:
            async with session.get(f"{server.url}{path}?n={number}", headers=headers) as response:
                await response.read()
        except aiohttp.ClientError:
            return False  # a worker that was told to end at a rotation; whatever it logged counts
        return True

    waiting: set[asyncio.Task[bool]] = set()
    connector = aiohttp.TCPConnector(limit=16)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session:
        while time.monotonic() - started < LOAD_S:
            waiting.add(asyncio.create_task(one(number)))
            number += 1
            await asyncio.sleep(max(0.0, started + number / REQUESTS_PER_S - time.monotonic()))
        return sum(await asyncio.gather(*waiting))


async def rotate_again_and_again(server: Apache, until: asyncio.Task[Any]) -> list[Path]:
    """Rotate as logrotate does, until a task is done; the files that were rotated away.

    Source: https://httpd.apache.org/docs/2.4/logs.html#rotation
    """
    rotated: list[Path] = []
    while not (await asyncio.wait({until}, timeout=ROTATE_EVERY_S))[0]:
        old = server.log.with_name(f"{server.log.name}.{len(rotated) + 1}")
        server.log.rename(old)
        rotated.append(old)
        server.reopen_logs()  # its old workers write on to the old file for a while
    return rotated


async def kill_in_turn(stage: Stage, until: asyncio.Task[Any]) -> None:
    """Kill the shipper, the indexer and OpenSearch, one after the other, until a task is done."""
    turn = 0
    names = ("log_shipper", "log_indexer", "opensearch")
    while not (await asyncio.wait({until}, timeout=KILL_EVERY_S))[0]:
        await stage.kill(names[turn % len(names)])
        turn += 1
    for name in names[turn:]:  # a machine that was too slow for all of them gets the others now
        await stage.kill(name)


def hostile_lines(rng: random.Random) -> list[bytes]:
    """Lines that no sane server writes: bytes at random, and good lines with one thing wrong."""
    good = access_log.recorded().splitlines()
    years = [b"0001", b"9999", b"1969", b"2038", b"-100", b"0000"]

    def noise(size: int) -> bytes:
        return rng.randbytes(size).replace(b"\n", b" ")

    def mangled() -> bytes:
        line = bytearray(rng.choice(good))
        for _ in range(rng.randint(1, 6)):
            line[rng.randrange(len(line))] = rng.choice(b'"\\[]\0\r\xff\x80 -%{}\t')
        return bytes(line)

    makers: list[Callable[[], bytes]] = [
        lambda: noise(rng.randint(0, 400)),
        mangled,
        lambda: rng.choice(good).replace(b"2015", rng.choice(years)),
        lambda: rng.choice(good).replace(
            b"17/May/2015", b"%02d/Mar/%04d" % (rng.randint(1, 28), rng.randint(1, 9998))
        ),
        lambda: rng.choice(good)[: rng.randint(0, 60)],
        lambda: rng.choice(good).replace(b"GET /", b"GET /" + b"x" * rng.randint(1, 60_000)),
        lambda: b'{"index":{"_index":"evil","_id":"1"}}',
        lambda: rng.choice(good).replace(b"200", b"9" * rng.randint(4, 400)),
        lambda: b"\x16\x03\x01" + noise(100),
    ]
    return [rng.choice(makers)() for _ in range(HOSTILE_LINES)]
