"""The fault proxy before the real engines: what it lets through is whole, what it refuses has no effect."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.fault import faults
from tests.fault.conftest import sdk
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until


async def _active_stream(kinesis: Any, name: str) -> None:
    await kinesis.create_stream(StreamName=name, ShardCount=2)

    async def active() -> bool:
        summary = await kinesis.describe_stream_summary(StreamName=name)
        return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")

    await until(active, 20, "the stream is active")


async def _read_all(kinesis: Any, name: str) -> list[tuple[str, bytes]]:
    found = []
    for shard in (await kinesis.list_shards(StreamName=name))["Shards"]:
        asked = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = (await kinesis.get_shard_iterator(StreamName=name, **asked))["ShardIterator"]
        fetch = await kinesis.get_records(ShardIterator=iterator, Limit=10_000)
        found += [(record["PartitionKey"], record["Data"]) for record in fetch["Records"]]
    return found


async def test_kinesis_behind_the_proxy(kinesis: Any, kinesis_proxy: FaultProxy, namespace: str) -> None:
    stream = f"{namespace}-proxied"
    await _active_stream(kinesis, stream)
    fault = faults.PartialPut(0.3)
    partial = kinesis_proxy.add(fault, "PutRecords")
    records = [{"PartitionKey": f"k{number}", "Data": bytes([number]) * 3000} for number in range(200)]
    async with sdk("kinesis", kinesis_proxy.url) as client:
        answer = await client.put_records(StreamName=stream, Records=records)
        stored = {
            record["PartitionKey"]: outcome["SequenceNumber"]
            for record, outcome in zip(records, answer["Records"], strict=True)
            if not outcome.get("ErrorCode")
        }
        partial.lift()
        lost = kinesis_proxy.add(faults.CutAfter(), "PutRecords", count=1)
        with pytest.raises(ConnectionClosedError):
            await client.put_records(StreamName=stream, Records=[{"PartitionKey": "lost", "Data": b"lost"}])
        kinesis_proxy.add(faults.CutBefore(), "PutRecords", count=1)
        with pytest.raises(ConnectionClosedError):
            await client.put_records(StreamName=stream, Records=[{"PartitionKey": "never", "Data": b"never"}])
        read = await _read_all(client, stream)
    assert answer["FailedRecordCount"] == fault.failed == 200 - len(stored) > 20
    assert lost.hits == 1
    assert {key for key, _ in read} == {*stored, "lost"}
    assert len(read) == len(stored) + 1
    assert sorted(read) == sorted(await _read_all(kinesis, stream))


async def test_dynamodb_behind_the_proxy(dynamodb: Any, dynamodb_proxy: FaultProxy, namespace: str) -> None:
    table = f"{namespace}-proxied"
    await dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    async with sdk("dynamodb", dynamodb_proxy.url) as client:

        async def insert(key: str) -> str:
            try:
                await client.put_item(
                    TableName=table, Item={"k": {"S": key}}, ConditionExpression="attribute_not_exists(k)"
                )
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            except ConnectionClosedError:
                return "cut"
            return "stored"

        dynamodb_proxy.add(faults.Throttle(), "PutItem", count=1)
        assert [await insert("a"), await insert("a")] == ["ProvisionedThroughputExceededException", "stored"]
        dynamodb_proxy.add(faults.CutAfter(), "PutItem", count=1)
        assert [await insert("b"), await insert("b")] == ["cut", "ConditionalCheckFailedException"]
        dynamodb_proxy.add(faults.Error500(), "PutItem", count=1)
        assert [await insert("c"), await insert("c")] == ["InternalServerError", "stored"]
        assert (await client.scan(TableName=table))["Count"] == 3
