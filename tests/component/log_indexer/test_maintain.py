"""`maintain` as a process on the real OpenSearch: once, and as a service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.kernel.adapters.opensearch import MissingIndex, NewDocument, OpenSearch
from tests import processes
from tests.component.log_path import LogPath, log_path, today
from tests.component.order_path import until
from tests.engines import Engines, local_environment
from tests.fault import faults
from tests.fault.proxy import FaultProxy

MODULE = "services.log_indexer"


@pytest.fixture
async def path(engines: Engines, opensearch_endpoint: str, namespace: str) -> AsyncIterator[LogPath]:
    async with log_path(engines, opensearch_endpoint, namespace) as made:
        yield made


@pytest.fixture
def environment(engines: Engines, opensearch_endpoint: str, namespace: str) -> dict[str, str]:
    return {
        **local_environment(engines),
        "CADABRA_NAMESPACE": namespace,
        "CADABRA_RUN_ID": engines.run_id,
        "CADABRA_OPENSEARCH_ENDPOINT": opensearch_endpoint,
    }


async def once(folder: Path, environment: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """One run as a process: its exit code and the line that says what it did."""
    service = processes.launch(MODULE, folder, environment, ("maintain",))
    code = await service.wait()
    [line] = [line for line in service.log_lines() if line["event"] == "maintained"]
    return code, line


async def fill(opensearch: OpenSearch, index: str) -> None:
    """An index of two documents in two segments."""
    await opensearch.create_index(index)
    for number in range(2):
        await opensearch.bulk_create([NewDocument(index, str(number), b"{}")])
        await opensearch.refresh(index)


def ago(days: int) -> date:
    return today() - timedelta(days)


async def test_a_run_makes_the_next_deletes_the_old_merges_what_is_over_and_may_be_repeated(
    path: LogPath, environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"CADABRA_BACKFILL_FROM": "2015-05-17", "CADABRA_BACKFILL_TO": "2015-05-20"}
    copy = path.index(ago(90)) + "-restored"
    for index in [*(path.index(ago(days)) for days in (1, 5, 30, 31)), path.index("2015-05-17"), copy]:
        await fill(path.opensearch, index)
    code, line = await once(tmp_path, environment)
    assert code == 0
    assert line["created"] == [path.index(ago(0)), path.index(ago(-1))]
    assert line["deleted"] == [path.index(ago(31))]
    assert line["merged"] == sorted([path.index(ago(5)), path.index(ago(30)), path.index("2015-05-17")])
    assert (line["failed"], line["indices"]) == ([], 6)
    found = {info.name: info for info in await path.opensearch.indices(path.pattern)}
    assert copy in found
    assert path.index(ago(31)) not in found
    assert found[path.index(ago(5))].segments == 1
    assert found[path.index(ago(1))].segments == 2
    code, line = await once(tmp_path, environment)
    assert code == 0
    assert (line["created"], line["deleted"], line["merged"], line["failed"]) == ([], [], [], [])


async def test_a_write_that_comes_late_brings_no_deleted_index_back(
    path: LogPath, environment: dict[str, str], tmp_path: Path
) -> None:
    await once(tmp_path, environment)
    gone = path.index(ago(31))
    [outcome] = await path.opensearch.bulk_create([NewDocument(gone, "1", b"{}")])
    assert isinstance(outcome, MissingIndex)
    assert gone not in {info.name for info in await path.opensearch.indices(path.pattern)}


async def test_two_runs_at_once_are_harmless(
    path: LogPath, environment: dict[str, str], tmp_path: Path
) -> None:
    for days in (5, 31, 40):
        await fill(path.opensearch, path.index(ago(days)))
    (tmp_path / "other").mkdir()
    runs = await asyncio.gather(once(tmp_path, environment), once(tmp_path / "other", environment))
    assert [code for code, _ in runs] == [0, 0]
    names = [info.name for info in await path.opensearch.indices(path.pattern)]
    assert names == [path.index(ago(days)) for days in (5, 0, -1)]


async def test_the_exit_code_says_why_it_did_not_work(environment: dict[str, str], tmp_path: Path) -> None:
    async def code(**settings: str) -> int:
        return await processes.launch(MODULE, tmp_path, environment | settings, ("maintain",)).wait()

    assert await code(CADABRA_OPENSEARCH_ENDPOINT="http://127.0.0.1:9") == 69
    assert await code(CADABRA_BACKFILL_FROM="2015-05-17") == 78
    assert await code(CADABRA_OPENSEARCH_ENDPOINT="") == 78


async def test_as_a_service_it_waits_for_opensearch_then_runs_again_and_again_until_asked_to_stop(
    path: LogPath, environment: dict[str, str], opensearch_endpoint: str, tmp_path: Path
) -> None:
    metric = "cadabra_log_indexer_maintenance_"
    async with FaultProxy(opensearch_endpoint) as proxy:
        environment |= {"CADABRA_OPENSEARCH_ENDPOINT": proxy.url}
        outage = proxy.outage()
        starting = asyncio.create_task(
            processes.start_module(MODULE, ("maintain", "--every", "0.2"), tmp_path, environment, 30)
        )
        await until(lambda: _is(outage.hits > 5), "it has tried")
        assert not starting.done()
        proxy.heal()
        service = await starting
        try:
            assert await service.is_ready()
            old = path.index(ago(31))
            await fill(path.opensearch, old)

            async def deleted() -> bool:
                return (await service.metrics())[metric + "deleted_indices_total"] == 1

            await until(deleted, "what became too old is deleted")
            metrics = await service.metrics()
            assert metrics[metric + 'runs_total{outcome="failed"}'] > 0
            assert metrics[metric + 'runs_total{outcome="done"}'] > 0
            assert metrics[metric + "created_indices_total"] == 2
            assert metrics[metric + "last_done_seconds"] > 0
            held = proxy.add(faults.Delay(60_000, 60_000))
            await until(lambda: _is(held.hits > 0), "a run is under way that takes long")
            service.terminate()
            assert await service.wait() == 0
        finally:
            service.kill9()


async def _is(found: bool) -> bool:
    return found


def test_each_line_of_the_log_is_json(tmp_path: Path) -> None:
    """What a scheduler keeps of a run can be read by machines."""
    service = processes.launch(MODULE, tmp_path, {"PATH": "/usr/bin"}, ("maintain",))
    assert service.process.wait(30) == 78
    assert all(json.loads(line) for line in service.log_file.read_text().splitlines())
