"""lake_writer as a process on the real engines: its README's promises."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as parquet
import pytest

from contracts import codec
from services.kernel.adapters.s3 import S3
from services.kernel.streams.intake import RECORD_OVERHEAD_BYTES
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Stored
from tests import processes
from tests.component.lake_path import MIB, ORDERS, REJECTED, LakePath, lake_path
from tests.component.order_path import until
from tests.conftest import StartService
from tests.engines import Engines, local_environment
from tests.fault.proxy import FaultProxy
from tests.orders import a_line, an_order, one_part
from tests.processes import ServiceProcess

FAST = {"CADABRA_POLL_INTERVAL_S": "0.1", "CADABRA_LEASE_TIME_S": "2", "CADABRA_OBJECT_MAX_AGE_S": "0.5"}
PATIENT = {**FAST, "CADABRA_OBJECT_MAX_AGE_S": "900"}
KEY = re.compile(
    r"landing/(orders|rejected)/v1/ingested_hour=\d{4}-\d\d-\d\dT\d\d/shardId-\d{12}-(\d{56})-(\d+)-(\d{56})-(\d+)\.parquet"
)
Start = Callable[..., Awaitable[ServiceProcess]]


@pytest.fixture
async def path(engines: Engines, aws_endpoint: str, namespace: str) -> AsyncIterator[LakePath]:
    async with lake_path(engines, aws_endpoint, namespace) as made:
        yield made


@pytest.fixture
def start(start_service: StartService, path: LakePath) -> Start:
    async def started(**settings: str) -> ServiceProcess:
        return await start_service("lake_writer", **{"CADABRA_S3_ENDPOINT": path.s3_url, **settings})

    return started


def lines_of(parts: list[codec.Order]) -> Counter[tuple[str, str, str]]:
    return Counter((part.source, part.order_id, line.line_id) for part in parts for line in part.lines)


def sent_row(part: codec.Order, line: codec.OrderLine, stored: Stored) -> dict[str, Any]:
    return {
        "source": part.source,
        "order_id": part.order_id,
        "event_id": part.event_id,
        "kind": part.kind,
        "customer_id": part.customer_id,
        "country": part.country,
        "currency": part.currency,
        "order_ordered_at": datetime.fromisoformat(part.ordered_at),
        "ingested_at": datetime.fromisoformat(part.ingested_at),
        "line_id": line.line_id,
        "stock_code": line.stock_code,
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": Decimal(line.unit_price),
        "ordered_at": datetime.fromisoformat(line.ordered_at),
        "shard_id": stored.shard_id,
        "sequence_number": str(stored.sequence_number).zfill(56),
        "sub_sequence": 0,
        "unknown": None,
    }


async def test_orders_are_in_the_landing_line_by_line_as_they_were_sent(path: LakePath, start: Start) -> None:
    """One of 20,000 lines in parts, a guest's, a cancellation, prices of four decimals and below zero."""
    writer = await start(**FAST)
    long = an_order(
        "long", [a_line(str(at), quantity=at % 7 - 1, description="Ü" * 20) for at in range(1, 20_001)]
    )
    others = [
        one_part("guest", [a_line(unit_price="-11062.06"), a_line("2", description=None)], customer_id=None),
        one_part("c", [a_line(quantity=-1, unit_price="0.0001")], kind="cancellation"),
    ]
    parts = [*long, *others]
    stored = await path.send(parts)
    await until(lambda: _has(path, lines_of(parts)), "all lines landed", 60)
    found = await path.rows()
    assert all(row["arrived_at"].tzinfo is not None for row in found)
    expected = [
        sent_row(part, line, at) for part, at in zip(parts, stored, strict=True) for line in part.lines
    ]
    shown = sorted(
        ({name: value for name, value in row.items() if name != "arrived_at"} for row in found),
        key=lambda row: (row["order_id"], int(row["line_id"])),
    )
    assert shown == sorted(expected, key=lambda row: (row["order_id"], int(row["line_id"])))
    await _judge_objects(path)
    metrics = await writer.metrics()
    assert metrics["cadabra_lake_writer_rows_total"] == 20_003
    assert metrics["cadabra_lake_writer_object_bytes_count"] == len(await path.keys())
    assert metrics["cadabra_lake_writer_rejected_leases_held"] == 2
    writer.terminate()
    assert await writer.wait() == 0


async def _has(path: LakePath, lines: Counter[tuple[str, str, str]]) -> bool:
    return lines.keys() <= (await path.lines()).keys()


async def _judge_objects(path: LakePath) -> None:
    """What every object promises: its name tells its range, one shard, one hour, its rows in order, zstd."""
    for key, table in (await path.tables()).items():
        named = KEY.fullmatch(key)
        assert named is not None, key
        places = list(
            zip(
                table.column("sequence_number").to_pylist(),
                table.column("sub_sequence").to_pylist(),
                strict=True,
            )
        )
        assert places == sorted(places)
        assert (named[2], int(named[3])) <= places[0]
        assert places[-1] <= (named[4], int(named[5]))
        (hour,) = {f"{at:%Y-%m-%dT%H}" for at in table.column("arrived_at").to_pylist()}
        (shard,) = set(table.column("shard_id").to_pylist())
        assert key.startswith(f"{ORDERS}ingested_hour={hour}/{shard}-")
        group = parquet.ParquetFile(io.BytesIO(await path.body(key))).metadata.row_group(0)
        assert {group.column(at).compression for at in range(group.num_columns)} == {"ZSTD"}


async def test_a_newer_writer_is_landed_without_a_change_here(path: LakePath, start: Start) -> None:
    writer = await start(**FAST)
    plain = json.loads(codec.encode(one_part("new")))
    plain["channel"] = "web"
    plain["lines"][0]["gift"] = {"wrap": True}
    await path.put(json.dumps(plain).encode(), "shop/new")
    await until(path.keys, "landed")
    (row,) = await path.rows()
    assert json.loads(row["unknown"]) == {"order": {"channel": "web"}, "line": {"gift": {"wrap": True}}}
    assert row["order_id"] == "new"
    assert (await writer.metrics())["cadabra_lake_writer_newer_records_total"] == 1


async def test_a_drain_writes_what_is_open_and_the_next_worker_repeats_nothing(
    path: LakePath, start: Start
) -> None:
    first = await start(**PATIENT)
    parts = [one_part(f"o{at}") for at in range(40)]
    await path.send(parts)
    await _fetched(first, parts)
    assert await path.keys() == []
    first.terminate()
    assert await first.wait() == 0
    assert await path.lines() == lines_of(parts)
    keys = await path.keys()
    assert len(keys) <= 2  # one a shard
    second = await start(**PATIENT)
    last = one_part("last")
    await path.send([last])
    await _fetched(second, [last])
    second.terminate()
    assert await second.wait() == 0
    assert await path.lines() == lines_of([*parts, last])
    assert len(await path.keys()) == len(keys) + 1


async def _fetched(writer: ServiceProcess, parts: list[codec.Order]) -> None:
    """Wait until all of these wait in open batches."""
    expected = sum(len(codec.encode(part)) + RECORD_OVERHEAD_BYTES for part in parts)

    async def open_now() -> bool:
        return (await writer.metrics())["cadabra_lake_writer_open_batch_bytes"] == expected

    await until(open_now, f"{len(parts)} records wait")


async def test_a_killed_writers_successor_lands_the_same_objects_again(path: LakePath, start: Start) -> None:
    """The first writes no checkpoint, so that the second gets everything again: rows repeat, and nothing is lost."""
    silent = {"CADABRA_CHECKPOINT_INTERVAL_S": "60", "CADABRA_LEASE_TIME_S": "300"}
    first = await start(**(FAST | silent))
    parts = [one_part(f"o{at}") for at in range(30)]
    await path.send(parts)
    await until(lambda: _has(path, lines_of(parts)), "landed once")
    rows = len(await path.rows())
    first.kill9()
    second = await start(**FAST)

    async def again() -> bool:
        return (await second.metrics())["cadabra_lake_writer_rows_total"] == 30

    await until(again, "landed again", 30)
    assert (await path.lines()).keys() == lines_of(parts).keys()
    assert 30 <= rows <= len(await path.rows()) <= 60


async def test_what_is_rejected_is_archived_with_its_bytes(path: LakePath, start: Start) -> None:
    """Junk, an order that breaks its contract, and 700 KB in two chunks; the shard goes on."""
    await start(**FAST)
    junk, broken = b"\xff\xfe not json", codec.encode(one_part("broken")).replace(b'"GBP"', b'"pounds"')
    large = b"\x00\xff" * 350_000
    for data in (junk, broken, large):
        await path.put(data, "shop/after")
    await path.send([one_part("after")])
    await until(lambda: _has(path, lines_of([one_part("after")])), "the record behind is landed")

    async def archived() -> bool:
        return len(await path.archived()) == 3

    await until(archived, "three dead letters are in the archive", 30)
    assert sorted((await path.archived()).values()) == sorted([junk, broken, large])
    reasons = {row["reason"]: row for row in await path.rows(REJECTED)}
    assert reasons.keys() == {"invalid_json", "contract_violation"}
    assert [one["pointer"] for one in reasons["contract_violation"]["details"]] == ["/currency"]
    assert reasons["contract_violation"]["service"] == "lake_writer"
    assert (await path.lines()).keys() == lines_of([one_part("after")]).keys()


async def test_junk_among_the_dead_letters_becomes_one_and_is_archived(path: LakePath, start: Start) -> None:
    writer = await start(**FAST)
    await path.kinesis.put_records(f"{path.namespace}-rejected", [(b"junk", "key")])

    async def archived() -> bool:
        return list((await path.archived()).values()) == [b"junk"]

    await until(archived, "the junk is in the archive, as a dead letter")
    metrics = await writer.metrics()
    assert metrics['cadabra_lake_writer_rejected_records_rejected_total{reason="invalid_json"}'] == 1


async def test_an_s3_that_is_away_past_the_lease_loses_nothing(
    path: LakePath, start: Start, aws_endpoint: str
) -> None:
    """Leases are kept, no checkpoint moves, and nothing is rejected for it."""
    async with FaultProxy(aws_endpoint) as proxy:
        writer = await start(**FAST, CADABRA_S3_ENDPOINT=proxy.url)
        outage = proxy.outage()
        parts = [one_part(f"o{at}") for at in range(60)]
        await path.send(parts)
        await until(lambda: _true(outage.hits > 4), "tried again and again", 30)
        leases = LeaseTable(path.dynamodb, f"{path.namespace}-leases-lake_writer")
        before = await leases.read()
        await until(lambda: _all_renewed(leases, before), "the leases are renewed through the outage")
        assert {lease.checkpoint for lease in before.values()} == {"TRIM_HORIZON"}
        assert await path.keys() == []
        outage.lift()
        await until(lambda: _has(path, lines_of(parts)), "all lines landed", 30)
        assert await path.rejected() == []
        retried = [
            value
            for name, value in (await writer.metrics()).items()
            if name.startswith("cadabra_lake_writer_records_retried_total")
        ]
        assert sum(retried) > 4
        writer.terminate()
        assert await writer.wait() == 0
        assert await path.lines() == lines_of(parts)


async def _true(found: bool) -> bool:
    return found


async def _all_renewed(leases: LeaseTable, before: Any) -> bool:
    return all(lease.counter > before[shard].counter for shard, lease in (await leases.read()).items())


async def test_records_read_with_care_are_landed_by_one_object_a_shard(path: LakePath, start: Start) -> None:
    """Two owners died before: each record is tried out alone, and none waits for the one before it to be durable."""
    parts = [one_part(f"o{at}") for at in range(5)]
    await path.send(parts)
    leases = LeaseTable(path.dynamodb, f"{path.namespace}-leases-lake_writer")
    first = await start(**PATIENT)
    await _fetched(first, parts)
    first.kill9()
    for lease in (await leases.read()).values():
        await leases.take(lease, replace(lease, owner=None, deaths=2, owner_switches=2))
    second = await start(**PATIENT)
    await _fetched(second, parts)
    assert "reading_with_care" in second.log_tail()
    second.terminate()
    assert await second.wait() == 0
    assert await path.lines() == lines_of(parts)
    assert len(await path.keys()) <= 2


async def test_without_its_bucket_it_ends_before_it_is_ready(
    engines: Engines, path: LakePath, namespace: str, tmp_path: Any
) -> None:
    environment = {
        **local_environment(replace(engines, aws=path.s3_url)),
        "CADABRA_NAMESPACE": f"{namespace}-other",
        "CADABRA_S3_ENDPOINT": path.s3_url,
    }
    ended = processes.launch("services.lake_writer", tmp_path, environment)
    assert await ended.wait() == 69
    assert f"there is no bucket {namespace}-other-lake" in ended.log_tail()
    environment |= {"CADABRA_MAX_OPEN_BATCH_BYTES": str(250 * MIB)}
    ended = processes.launch("services.lake_writer", tmp_path, environment)
    assert await ended.wait() == 78
    assert "CADABRA_MAX_OPEN_BATCH_BYTES" in ended.log_tail()


async def test_two_workers_share_the_shards_and_every_line_is_landed(path: LakePath, start: Start) -> None:
    first = await start(**FAST)
    parts = [one_part(f"o{at}") for at in range(200)]
    sending = asyncio.create_task(path.send(parts))
    second = await start(**FAST)
    await sending

    async def shared() -> bool:
        held = [(await one.metrics())["cadabra_lake_writer_leases_held"] for one in (first, second)]
        return held == [1, 1]

    await until(shared, "a shard each", 30)
    await until(lambda: _has(path, lines_of(parts)), "all lines landed", 30)
    await _judge_objects(path)


async def test_the_landing_is_read_by_a_client_of_another_kind(path: LakePath, start: Start) -> None:
    """A range of an object's end is enough to know its rows: what query engines do."""
    await start(**FAST)
    await path.send([one_part("o", [a_line(str(at)) for at in range(50)])])
    (key, *_) = await until(path.keys, "landed")
    bucket = f"{path.namespace}-lake"
    async with S3.open(path.s3_url, "us-east-1") as s3:
        info = await s3.head(bucket, key)
        assert info is not None
        tail = await s3.get_range(bucket, key, info.size_bytes - 8, 8)
        assert tail is not None
        assert tail[4:] == b"PAR1"
        footer = await s3.get_range(
            bucket, key, info.size_bytes - 8 - int.from_bytes(tail[:4], "little"), MIB
        )
        assert footer is not None
        assert parquet.read_metadata(io.BytesIO(b"PAR1" + footer)).num_rows == 50
