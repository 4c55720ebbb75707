"""A lease table that KCL wrote becomes ours, and ours KCL's: both fleets stopped, no record lost or left out.

Source: amazon-kinesis-client, DynamoDBLeaseSerializer (what is read and of which type), EntityType and
CoordinatorStateDAODelegate (rows of other kinds), ExtendedSequenceNumber (what a checkpoint may be).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record, Shard, Stored
from services.kernel.streams.rejected import RejectedSink

RECORDED = json.loads((Path(__file__).parent / "kcl" / "tables.json").read_text(encoding="utf-8"))
SETTINGS = GroupSettings(
    lease_time_s=1.0, poll_interval_s=0.1, checkpoint_interval_s=0.1, shard_sync_interval_s=0.5
)
SENTINELS = {"TRIM_HORIZON", "LATEST", "SHARD_END", "AT_TIMESTAMP"}
# Attribute, its type, whether KCL cannot do without it.
READ_BY_KCL = [
    ("leaseKey", "S", True),
    ("leaseOwner", "S", False),
    ("leaseCounter", "N", True),
    ("ownerSwitchesSinceCheckpoint", "N", True),
    ("checkpoint", "S", True),
    ("checkpointSubSequenceNumber", "N", True),
    ("parentShardId", "SS", False),
    ("childShardIds", "SS", False),
    ("startingHashKey", "S", False),
    ("endingHashKey", "S", False),
    ("throughputKBps", "N", False),
]
Item = dict[str, Any]


@dataclass
class Stage:
    """A stream of four shards and a lease table."""

    kinesis: Kinesis
    dynamodb: DynamoDB
    stream: str
    table: str

    async def put(self, first: int, count: int) -> dict[str, list[tuple[int, bytes]]]:
        """Put numbered records; returns number and data by shard, in order."""
        batch = [(f"{n}".encode(), f"key-{n % 16}") for n in range(first, first + count)]
        found: dict[str, list[tuple[int, bytes]]] = {}
        for (data, _), put in zip(batch, await self.kinesis.put_records(self.stream, batch), strict=True):
            assert isinstance(put, Stored)
            found.setdefault(put.shard_id, []).append((put.sequence_number, data))
        return found

    async def rows(self) -> dict[str, Item]:
        """The table as it is, by key."""
        return {item["leaseKey"]["S"]: item async for item in self.dynamodb.scan(self.table)}

    async def active(self) -> None:
        """Wait until the stream has changed."""
        while await self.kinesis.stream_status(self.stream) != "ACTIVE":
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def group(self, handled: Counter[bytes]) -> AsyncIterator[None]:
        """Run our group on this table; leaving drains it."""

        async def handle(record: Record) -> None:
            handled[record.data] += 1

        stopping, ready = asyncio.Event(), asyncio.Event()
        producer = Producer(self.kinesis, self.stream)
        group = ConsumerGroup(
            "suite",
            self.stream,
            self.kinesis,
            LeaseTable(self.dynamodb, self.table),
            per_record(handle),
            RejectedSink(producer, "suite"),
            SETTINGS,
            GroupMetrics(),
        )
        task = asyncio.create_task(group.run(stopping, ready.set))
        try:
            async with asyncio.timeout(20):
                await ready.wait()
                yield
        finally:
            stopping.set()
            await task


@pytest.fixture
async def stage(kinesis_endpoint: str, dynamodb_endpoint: str, namespace: str) -> AsyncIterator[Stage]:
    async with (
        Kinesis.open(kinesis_endpoint, "us-east-1") as kinesis,
        DynamoDB.open(dynamodb_endpoint, "us-east-1") as dynamodb,
    ):
        made = Stage(kinesis, dynamodb, f"{namespace}-s", f"{namespace}-kcl")
        await kinesis.create_stream(made.stream, 4)
        await dynamodb.create_table(made.table, Key("leaseKey"))
        await made.active()
        yield made
        await kinesis.delete_stream(made.stream)


def row_of_kcl(shard: Shard, checkpoint: str) -> Item:
    """A recorded row, of another shard at another place."""
    return {
        **RECORDED["leases"][0],
        "leaseKey": {"S": shard.shard_id},
        "startingHashKey": {"S": shard.starting_hash_key},
        "endingHashKey": {"S": shard.ending_hash_key},
        "checkpoint": {"S": checkpoint},
    }


def rows_of_other_kinds() -> list[Item]:
    """What newer versions of KCL keep in the lease table beside the leases."""
    found = []
    for kind, name, items in (
        ("LEADER", "key", RECORDED["coordinator"]),
        ("WORKER_METRIC_STATS", "wid", RECORDED["worker_metrics"]),
    ):
        for item in items:
            found.append({**item, "leaseKey": item[name], "entityType": {"S": kind}})
    return found


def faults_for_kcl(item: Item) -> list[str]:
    """What KCL could not read in a row."""
    faults = []
    for name, kind, needed in READ_BY_KCL:
        if name not in item:
            faults += [f"{name} is missing"] if needed else []
        elif list(item[name]) != [kind] or not item[name][kind]:
            faults.append(f"{name} is {item[name]}")
    checkpoint = item["checkpoint"]["S"]
    if not checkpoint.isdigit() and checkpoint not in SENTINELS:
        faults.append(f"no checkpoint: {checkpoint}")
    return faults


async def test_our_group_goes_on_behind_the_checkpoints_of_a_stopped_kcl(stage: Stage) -> None:
    put = await stage.put(0, 60)
    expected: Counter[bytes] = Counter()
    for shard in await stage.kinesis.list_shards(stage.stream):
        records = put[shard.shard_id]
        done = len(records) // 2
        row = row_of_kcl(shard, str(records[done - 1][0]))
        # Stopped in the middle of a hand-over and of a two-step checkpoint, as far as the table can tell.
        row |= {"checkpointOwner": row["leaseOwner"], "pendingCheckpoint": {"S": str(records[done][0])}}
        row |= {"pendingCheckpointSubSequenceNumber": {"N": "0"}}
        await stage.dynamodb.put_item(stage.table, row)
        expected.update(data for _, data in records[done:])
    others = rows_of_other_kinds()
    for item in others:
        await stage.dynamodb.put_item(stage.table, item)
    handled: Counter[bytes] = Counter()
    async with stage.group(handled):
        while len(handled) < len(expected):
            await asyncio.sleep(0.05)
    assert handled == expected
    rows = await stage.rows()
    for item in others:
        assert rows.pop(item["leaseKey"]["S"]) == item
    assert rows.keys() == put.keys()
    for shard_id, row in rows.items():
        assert row["checkpoint"] == {"S": str(put[shard_id][-1][0])}
        assert float(row["throughputKBps"]["N"]) == 0.0
        assert not row.keys() & {"leaseOwner", "checkpointOwner", "pendingCheckpoint", "deaths"}
        assert int(row["leaseCounter"]["N"]) > int(RECORDED["leases"][0]["leaseCounter"]["N"])


async def test_after_our_drain_kcl_can_read_every_row_reshards_included(stage: Stage) -> None:
    handled: Counter[bytes] = Counter()
    async with stage.group(handled):
        first = await stage.put(0, 60)
        shards = sorted(await stage.kinesis.list_shards(stage.stream), key=lambda s: int(s.starting_hash_key))
        await stage.kinesis.split_shard(stage.stream, shards[0].shard_id, str(2**125))
        await stage.active()
        await stage.kinesis.merge_shards(stage.stream, shards[2].shard_id, shards[3].shard_id)
        await stage.active()
        last = await stage.put(60, 60)
        while len(handled) < 120:
            await asyncio.sleep(0.05)
    rows = await stage.rows()
    assert {shard_id: faults_for_kcl(row) for shard_id, row in rows.items()} == {
        shard_id: [] for shard_id in rows
    }
    assert not any("leaseOwner" in row for row in rows.values())
    ended = {shards[0].shard_id, shards[2].shard_id, shards[3].shard_id}
    assert {shard_id for shard_id, row in rows.items() if row["checkpoint"]["S"] == "SHARD_END"} == ended
    for shard_id, records in {**first, **last}.items():
        if shard_id not in ended:
            assert rows[shard_id]["checkpoint"] == {"S": str(records[-1][0])}
    for shard in await stage.kinesis.list_shards(stage.stream):
        row = rows[shard.shard_id]
        assert sorted(row.get("parentShardId", {"SS": []})["SS"]) == sorted(shard.parents)
        assert row["startingHashKey"] == {"S": shard.starting_hash_key}
        for parent in shard.parents:
            assert shard.shard_id in rows[parent]["childShardIds"]["SS"]


def test_the_check_itself_accepts_what_kcl_wrote_and_sees_what_it_could_not_read() -> None:
    assert [faults_for_kcl(row) for row in RECORDED["leases"]] == [[], []]
    good = RECORDED["leases"][0]
    assert faults_for_kcl({**good, "leaseCounter": {"S": "44"}}) == ["leaseCounter is {'S': '44'}"]
    assert faults_for_kcl({**good, "checkpoint": {"S": "NOWHERE"}}) == ["no checkpoint: NOWHERE"]
    assert faults_for_kcl({**good, "parentShardId": {"L": []}}) == ["parentShardId is {'L': []}"]
