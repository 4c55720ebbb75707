"""Fixtures that several suites use."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.lease_table import LeaseTable
from tests import sales_lines
from tests.sales_lake import SalesLake
from tests.suites.command_stage import APPLICATION, SETTINGS, CommandStage


@pytest.fixture
async def stage(
    kinesis_endpoint: str,
    dynamodb_endpoint: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[CommandStage]:
    """The stream `orders` of two shards, its dead letters and a lease table, as the command line finds them.

    A suite of its own module may have another stage.
    """
    monkeypatch.setenv("CADABRA_NAMESPACE", namespace)
    monkeypatch.setenv("CADABRA_KINESIS_ENDPOINT", kinesis_endpoint)
    monkeypatch.setenv("CADABRA_DYNAMODB_ENDPOINT", dynamodb_endpoint)
    monkeypatch.setenv("CADABRA_LEASE_TIME_S", f"{SETTINGS.lease_time_s:g}")
    async with (
        Kinesis.open(kinesis_endpoint, "us-east-1") as kinesis,
        DynamoDB.open(dynamodb_endpoint, "us-east-1") as dynamodb,
    ):
        leases = LeaseTable(dynamodb, f"{namespace}-leases-{APPLICATION}")
        await dynamodb.create_table(leases.table, Key("leaseKey"))
        streams = {f"{namespace}-orders": 2, f"{namespace}-rejected": 1}
        for stream, shards in streams.items():
            await kinesis.create_stream(stream, shards)
        for stream in streams:
            while await kinesis.stream_status(stream) != "ACTIVE":
                await asyncio.sleep(0.05)
        yield CommandStage(namespace, kinesis, dynamodb, leases, capsys)
        for stream in streams:
            await kinesis.delete_stream(stream)


@pytest.fixture(scope="session")
def sales_lake(aws_endpoint: str) -> SalesLake:
    """A lake of a few nasty lines; nobody writes to it."""
    lake = SalesLake(aws_endpoint, f"t{uuid.uuid4().hex[:8]}-s")
    lake.write(sales_lines.nasty())
    return lake
