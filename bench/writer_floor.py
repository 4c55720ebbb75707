"""The writer's floor: GetRecords, decode, conditional PutItem of the same items by bare aiobotocore.

No leases, no checkpoints, no rejects, no metrics: it loses and repeats whatever a crash makes it.
`python -m bench.writer_floor ENDPOINT CONCURRENCY [tuned]` runs until it is killed; `tuned` leaves the SDK's own
validation of arguments out, as our adapters do.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from bench.writer_stub import STREAM, TABLE
from contracts.codec import decoder
from services.dynamodb_writer import items
from services.kernel.streams.records import Record

_IDLE_S = 0.05


async def main(endpoint: str, concurrency: int, tuned: bool) -> None:
    """Copy the stream into the table, for ever."""
    config = AioConfig(max_pool_connections=concurrency, parameter_validation=not tuned)
    session = get_session()
    slots = asyncio.Semaphore(concurrency)
    decode = decoder("order", 1)
    common = {"endpoint_url": endpoint, "region_name": "us-east-1", "config": config}
    async with (
        session.create_client("kinesis", **common) as kinesis,
        session.create_client("dynamodb", **common) as dynamodb,
    ):

        async def write(shard_id: str, got: dict[str, Any]) -> None:
            record = Record(shard_id, int(got["SequenceNumber"]), got["PartitionKey"], got["Data"], 0)
            item = items.item(record, decode(record.data))
            async with slots:
                await dynamodb.put_item(
                    TableName=TABLE,
                    Item=item,
                    ConditionExpression="attribute_not_exists(order_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )

        async def read(shard_id: str) -> None:
            first = await kinesis.get_shard_iterator(
                StreamName=STREAM, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )
            iterator = first["ShardIterator"]
            while True:
                answer = await kinesis.get_records(ShardIterator=iterator, Limit=1000)
                iterator = answer["NextShardIterator"]
                await asyncio.gather(*(write(shard_id, record) for record in answer["Records"]))
                if not answer["Records"]:
                    await asyncio.sleep(_IDLE_S)

        shards = (await kinesis.list_shards(StreamName=STREAM))["Shards"]
        await asyncio.gather(*(read(shard["ShardId"]) for shard in shards))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["tuned"]))
