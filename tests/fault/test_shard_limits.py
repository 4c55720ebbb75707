"""The real limits of a shard in front of the engine: clients that share one get on, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.producer import Producer
from tests.fault import handlings, orders
from tests.fault.fleet import until_balanced
from tests.fault.handlings import Handling
from tests.fault.ledger import StreamSender
from tests.fault.proxy import FaultProxy
from tests.fault.resharding import falls_into, open_shards
from tests.fault.shard_limits import MB, ReadLimits, WriteLimits
from tests.fault.stage import HTTP_SOURCE, REGION, SHARDS, Stage
from tests.fault.waiting import until
from tests.processes import ServiceProcess

READERS = ("reader_1", "reader_2", "reader_3", "reader_4")
"""With the writers five applications read each shard: as many as `contracts check` lets read a stream."""
DEFAULT_POLL_S = f"{GroupSettings().poll_interval_s:g}"
GREEDY = READERS[:2]
HOT_ORDERS = 200
HOT_LINES = 400
"""A quarter of such orders fall into one shard, which are 2.3 MB that come in one read."""


async def test_five_applications_share_a_shard_at_the_default_pace_and_greedy_ones_are_held_back(
    stage: Stage, kinesis_proxy: FaultProxy
) -> None:
    limits = ReadLimits()
    kinesis_proxy.add(limits, ("GetShardIterator", "GetRecords"))
    sender = StreamSender(stage.ledger, stage.kinesis, stage.orders)
    await sender.send(orders.http_orders(150, 61, HTTP_SOURCE))
    await asyncio.gather(*(_lease_table(stage, name) for name in READERS))
    # No lease may be lost to a slow moment of the machine: what is judged is who is refused, and what is repeated.
    settings = {"CADABRA_KINESIS_ENDPOINT": kinesis_proxy.url, "CADABRA_LEASE_TIME_S": "10"}
    usual = {**settings, "CADABRA_POLL_INTERVAL_S": DEFAULT_POLL_S}
    patient, *writers = await asyncio.gather(
        stage.witness(*READERS, **usual), *(stage.writer(None, None, **usual) for _ in range(2))
    )
    await until(lambda: _handled(stage, READERS, patient), 40, "every reader has read the backlog")
    await stage.assert_all_arrived()
    await until_balanced(stage, writers)
    await _assert_readers_at_the_tip_keep_under_the_limits(limits)
    patient.terminate()
    assert await patient.wait() == 0

    hot = (await open_shards(stage))[0]
    candidates = orders.http_orders(HOT_ORDERS, 62, HTTP_SOURCE, lines=HOT_LINES)
    await sender.send([order for order in candidates if falls_into(hot, order)])
    greedy = await stage.witness(*GREEDY, **settings, CADABRA_POLL_INTERVAL_S="0.1")
    await until(lambda: _handled(stage, GREEDY, patient, greedy), 40, "greedy readers get on too")
    await stage.assert_all_arrived()
    print(f"served {limits.served}, refused {limits.refused}")
    assert limits.refused["count"] > 10
    assert limits.refused["bytes"] > 0
    assert limits.unknown == 0
    _assert_handled_once(stage.handlings(patient) + stage.handlings(greedy))
    await stage.end()


async def _lease_table(stage: Stage, application: str) -> None:
    await stage.dynamodb.create_table(
        TableName=f"{stage.namespace}-leases-{application}",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _handled(stage: Stage, readers: tuple[str, ...], *witnesses: ServiceProcess) -> bool:
    """Whether each of these readers has handled every order that was acknowledged."""
    books = [one for witness in witnesses for one in stage.handlings(witness)]
    done = {(one.application, one.order_id) for one in books if one.event == "done"}
    return done >= {(reader, order_id) for reader in readers for order_id in stage.ledger.acknowledged}


def _assert_handled_once(found: list[Handling]) -> None:
    for reader in READERS:
        begun = handlings.times_begun(one for one in found if one.application == reader)
        assert set(begun.values()) == {1}


async def _assert_readers_at_the_tip_keep_under_the_limits(limits: ReadLimits) -> None:
    """Over 20 reads of each shard, which is four seconds of what it gives, not one is refused."""
    served, refused = limits.served.copy(), limits.refused.copy()
    assert len(served) == SHARDS

    def read_on() -> bool:
        return all(limits.served[shard] - before >= 20 for shard, before in served.items())

    took_s = await until(read_on, 20, "the readers read on")
    print(f"20 reads of each shard took {took_s:.1f} s; refused before: {refused}")
    assert limits.refused == refused


async def test_a_producer_puts_more_than_a_shard_takes_and_every_record_arrives_once(
    stage: Stage, kinesis_proxy: FaultProxy
) -> None:
    limits = WriteLimits(await open_shards(stage))
    kinesis_proxy.add(limits, "PutRecords")
    small = [f"small {number}".encode() for number in range(2_500)]
    large = [f"large {number}".encode().ljust(200 * 1024) for number in range(15)]
    async with Kinesis.open(kinesis_proxy.url, REGION) as kinesis:
        producer = Producer(kinesis, stage.orders, put_timeout_s=30.0)
        await asyncio.gather(*(producer.put("one key", data) for data in small))
        await asyncio.gather(*(producer.put("another key", data) for data in large))
        await producer.drain()
    print(f"{limits.refused} records were refused, {kinesis_proxy.calls['PutRecords']} calls")
    assert limits.refused["count"] >= 1_000
    assert limits.refused["bytes"] >= len(large) - MB // len(large[0])
    stored: Counter[bytes] = Counter()
    for shard in await open_shards(stage):
        stored.update(await _data(stage, shard["ShardId"]))
    assert stored == Counter(small + large)


async def _data(stage: Stage, shard_id: str) -> list[bytes]:
    place = {"StreamName": stage.orders, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = (await stage.kinesis.get_shard_iterator(**place))["ShardIterator"]
    found: list[bytes] = []
    while True:
        fetch = await stage.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
        if not fetch["Records"]:
            return found
        found += [record["Data"] for record in fetch["Records"]]
        iterator = fetch["NextShardIterator"]
