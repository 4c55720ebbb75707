"""The indexer as a process on the real engines: its README's promises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.component.log_path import FAST, LogPath, an_entry, log_path, today
from tests.component.order_path import until
from tests.conftest import StartService
from tests.engines import EngineProcess, Engines
from tests.fault import faults
from tests.fault.bulk_faults import PartialBulk
from tests.fault.proxy import FaultProxy
from tests.processes import ServiceProcess

METRICS = "cadabra_log_indexer_"


@pytest.fixture
async def path(engines: Engines, opensearch_endpoint: str, namespace: str) -> AsyncIterator[LogPath]:
    async with log_path(engines, opensearch_endpoint, namespace) as made:
        yield made


@pytest.fixture
def settings(opensearch_endpoint: str) -> dict[str, str]:
    return {**FAST, "CADABRA_OPENSEARCH_ENDPOINT": opensearch_endpoint}


async def indexed(path: LogPath, count: int, timeout_s: float = 60.0) -> None:
    async def all_there() -> bool:
        return await path.count() >= count

    await until(all_there, f"{count} documents", timeout_s)


async def metric_reaches(service: ServiceProcess, name: str, value: float, timeout_s: float = 60.0) -> None:
    async def reached() -> bool:
        return (await service.metrics()).get(METRICS + name, 0.0) >= value

    await until(reached, f"{name} reaches {value}", timeout_s)


async def test_entries_from_stream_to_search(
    path: LogPath, start_service: StartService, settings: dict[str, str]
) -> None:
    indexer = await start_service("log_indexer", **settings)
    yesterday = today() - timedelta(1)
    entries = [an_entry(number, yesterday if number % 3 == 0 else today()) for number in range(2_000)]
    await path.send(entries)
    await indexed(path, 2_000)
    documents = await path.documents()
    assert {document.source["log"]["offset"]: document.source for document in documents.values()} == {
        entry["log"]["offset"]: entry for entry in entries
    }
    assert all(
        path.index(document.source["index_day"]) == document.index_name for document in documents.values()
    )
    query = {"query": {"query_string": {"query": 'url.path.words:1999 AND source.ip:"192.0.2.0/24"'}}}
    assert await path.opensearch.count(path.pattern, query) == 1
    metrics = await indexer.metrics()
    assert metrics[METRICS + "indexed_entries_total"] == 2_000
    assert metrics[METRICS + "indices_created_total"] == 2
    assert metrics[METRICS + "written_to_indexed_seconds_count"] == 2_000
    assert metrics[METRICS + "bulk_calls_total"] < 100
    assert await path.rejected() == []
    indexer.terminate()
    assert await indexer.wait() == 0


async def test_a_redelivery_of_everything_changes_nothing(
    path: LogPath, start_service: StartService, settings: dict[str, str]
) -> None:
    """Sent twice by the shipper, and handled again by a successor that finds no checkpoint."""
    silent = {"CADABRA_CHECKPOINT_INTERVAL_S": "60", "CADABRA_LEASE_TIME_S": "300"}
    first = await start_service("log_indexer", **(settings | silent))
    entries = [an_entry(number) for number in range(1_000)]
    await path.send(entries)
    await path.send(list(reversed(entries)), packed=70)
    await metric_reaches(first, "entries_already_there_total", 1_000)
    before = await path.documents()
    assert len(before) == 1_000
    first.kill9()
    second = await start_service("log_indexer", **settings)
    await metric_reaches(second, "entries_already_there_total", 2_000)
    assert await path.documents() == before
    assert {document.version for document in before.values()} == {1}


async def test_a_stale_owners_writes_after_the_new_owners_change_nothing(
    path: LogPath, start_service: StartService, settings: dict[str, str], opensearch_endpoint: str
) -> None:
    """The first is stopped in its tracks with bulk requests on their way, which arrive when all is indexed."""
    async with FaultProxy(opensearch_endpoint) as proxy:
        old = await start_service("log_indexer", **(settings | {"CADABRA_OPENSEARCH_ENDPOINT": proxy.url}))
        late = proxy.add(faults.Delay(120_000, 120_000), holding=b'{"create":')
        entries = [an_entry(number) for number in range(500)]
        await path.send(entries)
        await until(lambda: _is(late.hits > 0), "a bulk request is on its way")
        old.pause()
        new = await start_service("log_indexer", **settings)
        await indexed(path, 500)
        before, forwarded = await path.documents(), proxy.forwarded.total()
        proxy.heal()
        await until(lambda: _is(proxy.forwarded.total() > forwarded), "the late requests have arrived")
        old.resume()
        await until(lambda: _is(not proxy.at_engine), "nothing is on its way")
        assert await path.documents() == before
        assert len(before) == 500
        assert new.running


async def _is(found: bool) -> bool:
    return found


async def test_what_the_index_cannot_hold_is_rejected_with_its_bytes_and_the_others_go_on(
    path: LogPath, start_service: StartService, settings: dict[str, str]
) -> None:
    await start_service("log_indexer", **settings)
    odd = json.dumps(an_entry(1, of_a_newer_writer={"unknown": "secret"})).encode()
    put = await path.put(
        [json.dumps(an_entry(0)).encode(), odd, b"no json", json.dumps(an_entry(2)).encode()]
    )
    await indexed(path, 2)
    letters = await until(lambda: _when_full(path, 2), "both are rejected")
    by_reason = {letter["reason"]: letter for letter in letters}
    assert by_reason.keys() == {"unmappable", "invalid_json"}
    assert by_reason["unmappable"]["data"] == odd
    assert by_reason["unmappable"]["sequence_number"] == str(put.sequence_number)
    assert by_reason["unmappable"]["service"] == "log_indexer"
    assert "secret" not in by_reason["unmappable"]["message"]
    assert await path.offsets() == {0, 200}


async def _when_full(path: LogPath, count: int) -> Sequence[dict[str, Any]]:
    letters = await path.rejected()
    return letters if len(letters) >= count else []


async def test_hostile_dates_make_no_more_indices_than_there_are_days(
    path: LogPath, start_service: StartService, settings: dict[str, str]
) -> None:
    """2,000 days of the past, a few to come, and what hides an action behind a line break."""
    kept = {
        "CADABRA_RETENTION_DAYS": "3",
        "CADABRA_BACKFILL_FROM": "2015-05-17",
        "CADABRA_BACKFILL_TO": "2015-05-18",
    }
    indexer = await start_service("log_indexer", **settings, **kept)
    days = [str(today() - timedelta(ago)) for ago in range(-10, 2_000)]
    entries = [
        an_entry(number, day) for number, day in enumerate([*days, "2015-05-17", "2015-05-18", "0001-01-01"])
    ]
    await path.send(entries)
    action = {"delete": {"_index": path.index(today()), "_id": "x"}}
    hidden = json.dumps(an_entry(9_000, later_field=action), indent=0).encode()
    await path.put([hidden])
    await metric_reaches(indexer, "entries_past_retention_total", 1_997)
    letters = await until(lambda: _when_full(path, 9), "days to come are rejected")
    assert [letter["reason"] for letter in letters].count("contract_violation") == 8
    assert [letter["data"] for letter in letters if letter["reason"] == "unmappable"] == [hidden]
    wanted = [str(today() - timedelta(ago)) for ago in range(-2, 4)] + ["2015-05-17", "2015-05-18"]
    await indexed(path, len(wanted))
    assert [info.name for info in await path.opensearch.indices(path.pattern)] == sorted(
        map(path.index, wanted)
    )
    assert (await indexer.metrics())[METRICS + "indices_created_total"] == len(wanted)


async def test_opensearch_is_killed_and_comes_back_and_nothing_is_lost(
    engines: Engines, namespace: str, start_service: StartService, tmp_path: Path
) -> None:
    engine = EngineProcess("opensearch", tmp_path, engines.run_id)
    engine.start()
    try:
        async with log_path(engines, engine.wait(), namespace) as path:
            indexer = await start_service(
                "log_indexer", **FAST, CADABRA_OPENSEARCH_ENDPOINT=engine.url, CADABRA_BULK_TIMEOUT_S="5"
            )
            await path.send([an_entry(number) for number in range(300)])
            await indexed(path, 300)
            engine.kill9()
            await path.send([an_entry(number) for number in range(300, 600)])
            await metric_reaches(indexer, 'bulk_errors_total{error="Unavailable"}', 5)
            assert (await indexer.metrics())[METRICS + "oldest_open_seconds"] > 0
            assert indexer.running
            engine.start_again()
            await indexed(path, 600)
            assert await path.offsets() == {number * 100 for number in range(600)}
            assert await path.rejected() == []
            indexer.terminate()
            assert await indexer.wait() == 0
    finally:
        engine.kill9()


async def test_it_is_not_ready_before_opensearch_is_and_ends_when_asked_to_meanwhile(
    path: LogPath, start_service: StartService, settings: dict[str, str], opensearch_endpoint: str
) -> None:
    async with FaultProxy(opensearch_endpoint) as proxy:
        outage = proxy.outage()
        starting = asyncio.create_task(
            start_service("log_indexer", **(settings | {"CADABRA_OPENSEARCH_ENDPOINT": proxy.url}))
        )
        await until(lambda: _is(outage.hits > 3), "it has tried")
        assert not starting.done()
        proxy.heal()
        indexer = await starting
        await path.send([an_entry(1)])
        await indexed(path, 1)
        indexer.terminate()
        assert await indexer.wait() == 0


async def test_items_that_are_throttled_or_away_are_sent_again_alone(
    path: LogPath, start_service: StartService, settings: dict[str, str], opensearch_endpoint: str
) -> None:
    async with FaultProxy(opensearch_endpoint) as proxy:
        indexer = await start_service(
            "log_indexer", **(settings | {"CADABRA_OPENSEARCH_ENDPOINT": proxy.url})
        )
        await path.send([an_entry(0)])
        await indexed(path, 1)
        refused = PartialBulk(0.3)
        proxy.add(refused, holding=b'{"create":', count=6)
        await path.send([an_entry(number) for number in range(1, 400)])
        await indexed(path, 400)
        assert await path.offsets() == {number * 100 for number in range(400)}
        metrics = await indexer.metrics()
        told = {
            kind: metrics[f'{METRICS}item_errors_total{{kind="{kind}"}}']
            for kind in ("throttled", "unavailable")
        }
        assert refused.failed > 0
        assert min(told.values()) > 0
        assert sum(told.values()) == refused.failed
        assert {document.version for document in (await path.documents()).values()} == {1}


async def test_a_drain_leaves_nothing_to_be_handled_again(
    path: LogPath, start_service: StartService, settings: dict[str, str]
) -> None:
    """What it has fetched waits for more to come, and no longer once it is asked to stop."""
    patient = {"CADABRA_BULK_LINGER_S": "10", "CADABRA_BULK_DOCUMENTS": "10000"}
    first = await start_service("log_indexer", **settings, **patient)
    await path.send([an_entry(number) for number in range(1_000)])
    await metric_reaches(first, "oldest_open_seconds", 0.2)
    first.terminate()
    assert await first.wait() == 0
    done = await path.count()
    assert done > 0
    second = await start_service("log_indexer", **settings)
    await indexed(path, 1_000)
    metrics = await second.metrics()
    assert metrics[METRICS + "entries_already_there_total"] == 0
    assert metrics[METRICS + "indexed_entries_total"] == 1_000 - done
