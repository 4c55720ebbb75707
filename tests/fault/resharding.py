"""Splits and merges by the test itself, and what comes out of them."""

from __future__ import annotations

from typing import Any

from contracts.order import partition_key
from tests.fault.orders import HttpOrder
from tests.fault.shard_limits import hash_key
from tests.fault.stage import HTTP_SOURCE, Stage
from tests.fault.waiting import until

ACTIVE_S = 20.0


async def open_shards(stage: Stage) -> list[Any]:
    """The shards of the stream of orders that take records, in the order of their hash keys."""
    shards = (await stage.kinesis.list_shards(StreamName=stage.orders))["Shards"]
    still = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    return sorted(still, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def falls_into(shard: Any, order: HttpOrder) -> bool:
    """Whether Kinesis gives this order to the shard while that is open."""
    number = hash_key(partition_key(HTTP_SOURCE, order.body["order_id"]))
    ends = shard["HashKeyRange"]
    return int(ends["StartingHashKey"]) <= number <= int(ends["EndingHashKey"])


async def split(stage: Stage, shard: Any) -> list[str]:
    """Split a shard in the middle; returns its two children once the stream is active again."""
    ends = shard["HashKeyRange"]
    middle = (int(ends["StartingHashKey"]) + int(ends["EndingHashKey"])) // 2
    await stage.kinesis.split_shard(
        StreamName=stage.orders, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
    )
    return await _children(stage, shard, 2)


async def merge(stage: Stage, shard: Any, adjacent: Any) -> list[str]:
    """Merge two neighbours; returns their one child once the stream is active again."""
    await stage.kinesis.merge_shards(
        StreamName=stage.orders, ShardToMerge=shard["ShardId"], AdjacentShardToMerge=adjacent["ShardId"]
    )
    return await _children(stage, shard, 1)


async def _children(stage: Stage, parent: Any, count: int) -> list[str]:
    """Wait for a shard's children; another reshard is refused until the stream is active."""
    found: list[str] = []

    async def active() -> bool:
        summary = await stage.kinesis.describe_stream_summary(StreamName=stage.orders)
        shards = (await stage.kinesis.list_shards(StreamName=stage.orders))["Shards"]
        found[:] = [shard["ShardId"] for shard in shards if shard.get("ParentShardId") == parent["ShardId"]]
        return len(found) == count and summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"

    await until(active, ACTIVE_S, f"{count} children of {parent['ShardId']}")
    return found


async def until_leases(stage: Stage, shard_ids: list[str]) -> None:
    """Wait until the workers know these shards."""

    async def known() -> bool:
        return set(shard_ids) <= (await stage.leases()).keys()

    await until(known, 20, f"{shard_ids} have leases")
