"""A sample of random schedules on the real engines: the simulation's promises where nothing is simulated."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.lease_table import LeaseTable
from tests.suites.schedules import Play


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_schedule_breaks_no_promise_on_the_real_engines(
    kinesis_endpoint: str, dynamodb_endpoint: str, namespace: str, seed: int
) -> None:
    async with (
        Kinesis.open(kinesis_endpoint, "us-east-1") as kinesis,
        DynamoDB.open(dynamodb_endpoint, "us-east-1") as dynamodb,
    ):
        stream, leases = f"{namespace}-s", LeaseTable(dynamodb, f"{namespace}-leases-suite")
        await kinesis.create_stream(stream, 2)
        await dynamodb.create_table(leases.table, Key("leaseKey"))
        while await kinesis.stream_status(stream) != "ACTIVE":
            await asyncio.sleep(0.05)
        play = Play(seed, kinesis, dynamodb, stream, leases)
        print(f"seed {seed}: {', '.join(play.kinds)}")
        await play.play()
        assert len(play.judge.handled) >= 180
        await kinesis.delete_stream(stream)
