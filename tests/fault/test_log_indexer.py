"""kill -9 of the indexer again and again under load: every entry is one document, written once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.component.log_path import FAST, LogPath, an_entry, log_path
from tests.conftest import StartService
from tests.engines import Engines
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until

BATCH = 100
AHEAD = 1_000
"""Entries that are sent and not yet documents: there is always work, however fast the machine is."""
PAUSE_S = 0.05
KILLS = 3
SEED = 1
SETTINGS = {**FAST, "CADABRA_BULK_DOCUMENTS": "100"}


@pytest.fixture
async def path(engines: Engines, opensearch_endpoint: str, namespace: str) -> AsyncIterator[LogPath]:
    async with log_path(engines, opensearch_endpoint, namespace) as made:
        yield made


async def send(path: LogPath, stopping: asyncio.Event) -> int:
    """Send entries until told to stop; returns how many."""
    sent = 0
    while not stopping.is_set():
        if sent - await path.count() < AHEAD:
            entries = [an_entry(number) for number in range(sent, sent + BATCH)]
            await path.send(entries, packed=BATCH // 4)
            sent += BATCH
        await asyncio.sleep(PAUSE_S)
    return sent


async def test_kill_9_again_and_again_under_load_loses_and_doubles_nothing(
    path: LogPath, start_service: StartService, opensearch_endpoint: str
) -> None:
    rng = random.Random(SEED)
    async with FaultProxy(opensearch_endpoint, SEED) as proxy:
        settings = {**SETTINGS, "CADABRA_OPENSEARCH_ENDPOINT": proxy.url}
        # Some answers are late and some are lost, so that there is always a bulk request on its way.
        proxy.add(faults.Delay(10, 100), holding=b'{"create":')
        proxy.add(faults.CutAfter(), holding=b'{"create":', probability=0.1)
        stopping = asyncio.Event()
        sending = asyncio.create_task(send(path, stopping))

        async def progress() -> bool:
            return not any(await path.deaths())

        for kill in range(KILLS):
            before = await path.count()
            wanted = before + rng.randrange(300, 900)
            indexer = await start_service("log_indexer", **settings)

            async def reached(wanted: int = wanted) -> bool:
                return await path.count() >= wanted

            await until(reached, 60, f"{wanted} documents before kill {kill + 1}")
            # Two deaths without progress would make the next one read with care, which is another test's.
            await until(progress, 60, "every shard's checkpoint has moved")
            await until(lambda: proxy.at_engine > 0, 10, "a bulk request is at work", poll_s=0.001)
            indexer.kill9()
            print(f"kill {kill + 1} after {await path.count()} documents")
        last = await start_service("log_indexer", **settings)
        stopping.set()
        sent = await sending
        proxy.heal()

        async def all_there() -> bool:
            return await path.count() >= sent

        await until(all_there, 60, f"{sent} documents")
        last.terminate()
        assert await last.wait() == 0
    documents = await path.documents()
    assert sorted(document.source["log"]["offset"] for document in documents.values()) == [
        number * 100 for number in range(sent)
    ]
    assert {document.version for document in documents.values()} == {1}
    assert await path.rejected() == []
