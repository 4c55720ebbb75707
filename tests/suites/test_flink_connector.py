"""One behaviour, over every Kinesis connector that is there: what goes into the job comes out of it.

The records are ones that the alarm rejects, so that each comes out as a dead letter with its bytes: a split, a merge,
kill -9 and a restore may repeat some, and lose none.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deploy.local.engines import engine, flink_parts
from tests.alarm_path import AlarmPath, alarm_path, read_stream
from tests.component.order_path import until
from tests.engines import Engines
from tests.fault.conftest import sdk

CONNECTORS = flink_parts.connectors(engine.ENGINES)
RECORDS = 120


def test_there_is_a_connector() -> None:
    """None at all is a failure, and not a suite without tests."""
    print("connectors:", ", ".join(jar.name for jar in CONNECTORS))
    assert CONNECTORS


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda jar: jar.name)
async def test_nothing_is_lost_over_a_split_a_merge_and_a_restore(
    connector: Path, engines: Engines, namespace: str, tmp_path: Path
) -> None:
    settings = {flink_parts.CONNECTOR_VARIABLE: str(connector)}
    sent: set[bytes] = set()
    async with (
        alarm_path(engines, namespace, tmp_path / "job") as path,
        sdk("kinesis", engines.kinesis) as kinesis,
    ):
        await path.start(settings=settings)
        await put(path, sent)
        await until(lambda: all_out(path, sent), "the first records")
        await split(kinesis, f"{namespace}-orders")
        await put(path, sent)
        await merge(kinesis, f"{namespace}-orders")
        await put(path, sent)
        await until(lambda: all_out(path, sent), "the records of parents and children", 60)
        await put(path, sent)
        assert path.job is not None
        path.job.kill9_tree()
        await put(path, sent)
        await path.start(settings=settings)
        await put(path, sent)
        await until(lambda: all_out(path, sent), "every record, after a restore", 60)
        ids = {letter["rejected_id"] for letter in await path.orders.rejected()}
        assert {record.partition_key for record in await read_stream(path.orders, "rejected")} == ids


async def put(path: AlarmPath, sent: set[bytes]) -> None:
    """Some more records, spread over all shards."""
    for _ in range(RECORDS // 6):
        data = b"record %d" % len(sent)
        await path.orders.put(data, f"key {len(sent)}")
        sent.add(data)


async def all_out(path: AlarmPath, sent: set[bytes]) -> bool:
    """Whether the dead letters are of exactly these records."""
    return {bytes(letter["data"]) for letter in await path.orders.rejected()} == sent


async def split(kinesis: Any, stream: str) -> None:
    """Cut the first shard into halves."""
    (first, *_) = await open_shards(kinesis, stream)
    low, high = (int(first["HashKeyRange"][key]) for key in ("StartingHashKey", "EndingHashKey"))
    await kinesis.split_shard(
        StreamName=stream, ShardToSplit=first["ShardId"], NewStartingHashKey=str((low + high) // 2)
    )
    await active(kinesis, stream)


async def merge(kinesis: Any, stream: str) -> None:
    """Join the second half with the shard beside it."""
    (_, second, third, *_) = await open_shards(kinesis, stream)
    await kinesis.merge_shards(
        StreamName=stream, ShardToMerge=second["ShardId"], AdjacentShardToMerge=third["ShardId"]
    )
    await active(kinesis, stream)


async def open_shards(kinesis: Any, stream: str) -> list[Any]:
    """The shards that take records, in the order of their hash keys."""
    shards = (await kinesis.list_shards(StreamName=stream))["Shards"]
    taking = [one for one in shards if "EndingSequenceNumber" not in one["SequenceNumberRange"]]
    return sorted(taking, key=lambda one: int(one["HashKeyRange"]["StartingHashKey"]))


async def active(kinesis: Any, stream: str) -> None:
    """Wait until the stream has its new shards."""
    while True:
        await asyncio.sleep(0.1)
        answer = await kinesis.describe_stream_summary(StreamName=stream)
        if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return
