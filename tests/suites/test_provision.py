"""Provisioning over memory and the real engines: what the contracts name exists, once, whoever asks how often."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts import catalog
from contracts.catalog import Catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import TimedOut, Unavailable
from services.kernel.core.names import lease_table
from services.kernel.provision import Provisioned, lease_tables, provision, remove
from tests.engines import Engines, local_environment
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.kinesis import MemoryKinesis
from tests.memory.s3 import MemoryS3

ROOT = Path(__file__).parents[2]
CATALOG = catalog.load()
Clients = tuple[Kinesis, DynamoDB]


@pytest.fixture(params=["memory", "local"])
async def clients(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[Clients]:
    if request.param == "memory":
        yield MemoryKinesis(), MemoryDynamoDB()
        return
    found = request.getfixturevalue("engines")
    async with (
        Kinesis.open(found.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(found.dynamodb, "us-east-1") as dynamodb,
    ):
        yield kinesis, dynamodb
        await remove(kinesis, dynamodb, namespace, CATALOG)


def expected(namespace: str) -> tuple[list[str], list[str]]:
    streams = sorted(f"{namespace}-{name}" for name in CATALOG.streams)
    tables = sorted([*(f"{namespace}-{name}" for name in CATALOG.tables), *lease_tables(CATALOG, namespace)])
    return streams, tables


async def test_everything_is_there_and_active(clients: Clients, namespace: str) -> None:
    kinesis, dynamodb = clients
    streams, tables = expected(namespace)
    found = await provision(kinesis, dynamodb, namespace, CATALOG, shards=2)
    assert found == Provisioned(streams, tables, sorted(streams + tables))
    for name in CATALOG.streams:
        assert len(await kinesis.list_shards(f"{namespace}-{name}")) == 2
        hours = await kinesis.retention_hours(f"{namespace}-{name}")
        assert hours == CATALOG.streams[name].retention_hours
    assert [await dynamodb.table_status(table) for table in tables] == ["ACTIVE"] * len(tables)


async def test_a_second_run_changes_nothing(clients: Clients, namespace: str) -> None:
    kinesis, dynamodb = clients
    await provision(kinesis, dynamodb, namespace, CATALOG, shards=1)
    stored = (await kinesis.put_records(f"{namespace}-orders", [(b"x", "key")]))[0]
    again = await provision(kinesis, dynamodb, namespace, CATALOG, shards=3)
    assert again.created == []
    assert (again.streams, again.tables) == expected(namespace)
    assert len(await kinesis.list_shards(f"{namespace}-orders")) == 1
    assert stored is not None


async def test_many_at_once_are_one(clients: Clients, namespace: str) -> None:
    kinesis, dynamodb = clients
    runs = await asyncio.gather(
        *(provision(kinesis, dynamodb, namespace, CATALOG, shards=1) for _ in range(4))
    )
    created = [name for run in runs for name in run.created]
    streams, tables = expected(namespace)
    assert sorted(created) == sorted(streams + tables)


async def test_leases_and_the_customer_index_have_their_keys(clients: Clients, namespace: str) -> None:
    kinesis, dynamodb = clients
    await provision(kinesis, dynamodb, namespace, CATALOG, shards=1)
    table = lease_table(namespace, "dynamodb_writer")
    await dynamodb.put_item(table, {"leaseKey": {"S": "shardId-000000000000"}})
    assert await dynamodb.get_item(table, {"leaseKey": {"S": "shardId-000000000000"}})
    page = await dynamodb.query(
        f"{namespace}-order_history", "customer_id = :c", {":c": {"S": "17850"}}, index="by_customer"
    )
    assert page.items == []


async def test_the_lake_has_its_bucket(namespace: str) -> None:
    s3, kinesis, dynamodb = MemoryS3(), MemoryKinesis(), MemoryDynamoDB()
    away = iter([Unavailable("away"), None])
    s3.fault = lambda _operation: next(away, None)
    for _ in range(2):
        found = await provision(kinesis, dynamodb, namespace, CATALOG, shards=1, s3=s3)
        assert found.buckets == [f"{namespace}-lake"]
    assert await s3.bucket_exists(f"{namespace}-lake")


async def test_remove_leaves_nothing(clients: Clients, namespace: str) -> None:
    kinesis, dynamodb = clients
    found = await provision(kinesis, dynamodb, namespace, CATALOG, shards=1)
    await remove(kinesis, dynamodb, namespace, CATALOG)
    assert [await kinesis.stream_status(name) for name in found.streams] == [None] * len(found.streams)
    assert [await dynamodb.table_status(name) for name in found.tables] == [None] * len(found.tables)


def test_an_operator_needs_no_lease_table() -> None:
    orders = replace(CATALOG.streams["orders"], consumers=("dynamodb_writer", "operator"))
    only = Catalog(CATALOG.contracts, {"orders": orders}, {})
    assert lease_tables(only, "n") == ["n-leases-dynamodb_writer"]


async def test_an_engine_that_stays_away_is_told_by_its_name() -> None:
    kinesis = MemoryKinesis()
    kinesis.fault = lambda operation: Unavailable("away") if operation == "stream_status" else None
    with pytest.raises(TimedOut, match="n-"):
        await provision(kinesis, MemoryDynamoDB(), "n", CATALOG, timeout_s=0.2)


def test_the_command_provisions_and_says_what_there_is(
    engines: Engines, aws_endpoint: str, namespace: str
) -> None:
    command = [sys.executable, "-m", "services.kernel.provision", "--namespace", namespace, "--shards", "1"]
    environment = local_environment(replace(engines, aws=aws_endpoint))
    topics, buckets = [f"{namespace}-order-rate-alarms"], [f"{namespace}-lake"]
    try:
        first = subprocess.run(
            [*command, "--json"], cwd=ROOT, env=environment, capture_output=True, check=True
        )
        streams, tables = expected(namespace)
        assert json.loads(first.stdout) == {
            "streams": streams,
            "tables": tables,
            "created": sorted(streams + tables),
            "topics": topics,
            "buckets": buckets,
        }
        second = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True
        )
        assert second.stdout.splitlines() == streams + tables + topics + buckets
    finally:
        asyncio.run(_remove(engines, namespace))


def test_the_command_tells_a_wrong_setting_by_its_exit_code() -> None:
    command = [sys.executable, "-m", "services.kernel.provision"]
    environment = {**local_environment(Engines("", "", "")), "CADABRA_NAMESPACE": "No Good"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 78
    assert "CADABRA_NAMESPACE" in ended.stderr


async def _remove(engines: Engines, namespace: str) -> None:
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
    ):
        await remove(kinesis, dynamodb, namespace, CATALOG)
