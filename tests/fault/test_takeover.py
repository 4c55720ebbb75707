"""Writers that die, stall and meet a reshard: others go on where they stopped, and late hands do no harm."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from typing import Any

import pytest

from contracts.order import partition_key
from tests.fault import faults, orders
from tests.fault.ledger import StreamSender
from tests.fault.load import slow_writes
from tests.fault.proxy import FaultProxy
from tests.fault.stage import HTTP_SOURCE, LEASE_TIME_S, SHARDS, Stage, passed
from tests.fault.waiting import until
from tests.processes import ServiceProcess

TAKE_OVER_S = LEASE_TIME_S + 2.0
"""The promise: lease time + 2 s, counted from the kill."""
MARGIN_S = 1.5
"""Two cores run the engines, two writers, the sender and this test: so much may be the machine's."""


async def _two_writers(
    stage: Stage, proxy: FaultProxy, **settings: str
) -> tuple[ServiceProcess, ServiceProcess]:
    """Two writers behind one slow DynamoDB, each with half of the shards."""
    slow_writes(proxy)
    first, second = await asyncio.gather(*(stage.writer(proxy, None, **settings) for _ in range(2)))
    await until(lambda: _balanced(stage), 20, "each writer holds half of the shards")
    return first, second


async def _balanced(stage: Stage) -> bool:
    return sorted((await stage.owners()).values()) == [SHARDS // 2, SHARDS // 2]


async def _share_stored(stage: Stage, share: float, total: int) -> bool:
    return await stage.stored_parts() >= share * total


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_other_writer_takes_over_within_the_lease_time(
    stage: Stage, dynamodb_proxy: FaultProxy, seed: int
) -> None:
    first, second = await _two_writers(stage, dynamodb_proxy)
    victim, survivor = random.Random(seed).sample([first, second], 2)
    share = random.Random(seed).uniform(0.2, 0.8)
    print(f"seed {seed}: {stage.instance(victim)} dies at {share:.0%}")
    sender = StreamSender(stage.ledger, stage.kinesis, stage.orders, pause_s=0.03)
    sent = orders.http_orders(500, seed, HTTP_SOURCE)
    sending = stage.background(sender.send(sent))
    await until(lambda: _share_stored(stage, share, len(sent)), 30, f"{share:.0%} is stored")

    victim.kill9()
    killed_at_s = time.monotonic()
    open_orders = await stage.open_orders()

    async def taken_over() -> bool:
        return await stage.owners() == {stage.instance(survivor): SHARDS}

    await until(taken_over, TAKE_OVER_S + MARGIN_S + 10, "the survivor holds every shard")
    took_s = time.monotonic() - killed_at_s
    print(f"took over in {took_s:.1f} s, {open_orders} orders were open at the kill")
    assert open_orders > 0
    assert took_s <= TAKE_OVER_S + MARGIN_S
    await sending
    await stage.assert_all_arrived()
    await stage.end()


async def test_children_of_a_split_under_load_wait_for_the_last_record_of_their_parent(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    # One order a call, so that those held up hold up no others.
    await _two_writers(stage, dynamodb_proxy, CADABRA_SHARD_SYNC_INTERVAL_S="1", CADABRA_INSERTS_PER_CALL="1")
    sender = StreamSender(stage.ledger, stage.kinesis, stage.orders, pause_s=0.15)
    load = orders.http_orders(800, 11, HTTP_SOURCE)
    loading = stage.background(sender.send(load))
    await until(lambda: _share_stored(stage, 0.1, len(load)), 30, "the load runs")
    parent = (await stage.kinesis.list_shards(StreamName=stage.orders))["Shards"][0]

    # A few records of the parent do not get their effect until the test lets them.
    slow = dynamodb_proxy.add(
        faults.Delay(600_000, 600_000), "PutItem", resource="order_history", holding=b'"slow'
    )
    last = [order for order in orders.http_orders(40, 12, HTTP_SOURCE, "slow") if _falls_into(parent, order)]
    await sender.send(last)
    held = {order.body["order_id"] for order in last if order.valid}
    await until(lambda: slow.hits == len(held), 20, "records of the parent are at work")
    await _split(stage, parent)
    children = await _children_with_leases(stage, parent["ShardId"])
    assert not loading.done()
    await _wait_for_heartbeats(stage, 5)

    leases = await stage.leases()
    sent_to_children = sender.taken_by(*children)
    assert sent_to_children
    assert not sent_to_children & await stage.stored_orders(), "a child was read before its parent's end"
    assert [leases[child]["checkpoint"] for child in children] == ["TRIM_HORIZON", "TRIM_HORIZON"]
    slow.lift()
    ended_s = await until(lambda: _ended(stage, parent["ShardId"]), 20, "the parent is at its end")
    read_s = await until(lambda: _any_stored(stage, sent_to_children), 20, "the children are read")
    print(
        f"{len(sent_to_children)} orders waited, parent ended after {ended_s:.1f} s, read {read_s:.1f} s later"
    )
    assert held <= await stage.stored_orders()
    await loading
    await stage.assert_all_arrived()
    assert len(await stage.leases()) == SHARDS + 2
    await stage.end()


def _falls_into(shard: Any, order: orders.HttpOrder) -> bool:
    """Whether Kinesis gives this order to the shard: MD5 of the partition key, as a number of 128 bits."""
    key = partition_key(HTTP_SOURCE, order.body["order_id"])
    number = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest())
    ends = shard["HashKeyRange"]
    return int(ends["StartingHashKey"]) <= number <= int(ends["EndingHashKey"])


async def _split(stage: Stage, shard: Any) -> None:
    ends = shard["HashKeyRange"]
    middle = (int(ends["StartingHashKey"]) + int(ends["EndingHashKey"])) // 2
    await stage.kinesis.split_shard(
        StreamName=stage.orders, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
    )


async def _children_with_leases(stage: Stage, parent: str) -> list[str]:
    """Wait until the writers know both children of a shard."""
    children: list[str] = []

    async def known() -> bool:
        shards = (await stage.kinesis.list_shards(StreamName=stage.orders))["Shards"]
        children[:] = [shard["ShardId"] for shard in shards if shard.get("ParentShardId") == parent]
        return len(children) == 2 and set(children) <= (await stage.leases()).keys()

    await until(known, 20, "the children have leases")
    return children


async def _wait_for_heartbeats(stage: Stage, beats: int) -> None:
    """Wait until every writer has kept its leases so many times: it looked at the children meanwhile."""
    before = {shard_id: lease["counter"] for shard_id, lease in (await stage.leases()).items()}

    async def kept() -> bool:
        after = await stage.leases()
        return all(after[s]["counter"] >= n + beats for s, n in before.items() if after[s]["owner"])

    await until(kept, 20, f"{beats} heartbeats of every lease that is held")


async def _ended(stage: Stage, shard_id: str) -> bool:
    return bool((await stage.leases())[shard_id]["checkpoint"] == "SHARD_END")


async def _any_stored(stage: Stage, order_ids: set[str]) -> bool:
    return bool(order_ids & await stage.stored_orders())


async def test_a_writer_stopped_past_its_lease_does_no_harm_when_it_wakes(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    # The zombie's writes wait in a proxy of its own and reach the engine after the new owner's.
    async with FaultProxy(stage.engines.dynamodb, seed=5) as slow:
        zombie = await stage.writer(dynamodb=slow)
        await until(lambda: _holds(stage, zombie, SHARDS), 20, "the first writer holds every shard")
        sender = StreamSender(stage.ledger, stage.kinesis, stage.orders, pause_s=0.02)
        await sender.send(orders.http_orders(100, 21, HTTP_SOURCE))
        await until(lambda: _share_stored(stage, 0.5, 100), 20, "the first writer works")
        held = slow.add(faults.Delay(600_000, 600_000), faults.INSERTS, resource="order_history")
        sending = stage.background(sender.send(orders.http_orders(300, 22, HTTP_SOURCE)))
        await until(lambda: held.hits >= 3, 20, "writes of the first writer are under way")
        held_leases = slow.add(
            faults.Delay(600_000, 600_000), "UpdateItem", resource="leases-dynamodb_writer"
        )
        await until(lambda: held_leases.hits >= 1, 20, "a heartbeat or checkpoint of it is under way")
        zombie.pause()
        paused_at_s = time.monotonic()
        other = await stage.writer(dynamodb=dynamodb_proxy)
        await until(lambda: _holds(stage, other, SHARDS), 20, "the other writer holds every shard")
        await sending
        await stage.assert_all_arrived()
        assert time.monotonic() - paused_at_s > LEASE_TIME_S

        before, leases_before = await stage.items(), await stage.leases()
        late, answered = held.hits + held_leases.hits, slow.answered
        held.lift()
        held_leases.lift()
        await until(lambda: slow.answered >= answered + late, 20, "every late write has reached the engine")
        assert await stage.items() == before
        assert await stage.owners() == {stage.instance(other): SHARDS}
        _assert_no_step_back(leases_before, await stage.leases())
        zombie.resume()
        await until(lambda: _balanced(stage), 30, "the zombie is a worker like any other again")
        assert zombie.running
        assert await stage.items() == before
        _assert_no_step_back(leases_before, await stage.leases())
        await sender.send(orders.http_orders(100, 23, HTTP_SOURCE))
        await stage.assert_all_arrived()
        await stage.end()


async def test_a_writer_cut_off_from_dynamodb_gives_way(stage: Stage, dynamodb_proxy: FaultProxy) -> None:
    async with FaultProxy(stage.engines.dynamodb, seed=6) as torn:
        cut_off = await stage.writer(dynamodb=torn)
        other = await stage.writer(dynamodb=dynamodb_proxy)
        await until(lambda: _balanced(stage), 20, "each writer holds half of the shards")
        sender = StreamSender(stage.ledger, stage.kinesis, stage.orders, pause_s=0.05)
        sending = stage.background(sender.send(orders.http_orders(400, 24, HTTP_SOURCE)))
        await until(lambda: _share_stored(stage, 0.2, 400), 20, "both work")

        hole = torn.add(faults.BlackHole())
        began_at_s = time.monotonic()
        await until(lambda: _holds(stage, other, SHARDS), 20, "the other writer holds every shard")
        took_s = time.monotonic() - began_at_s
        print(f"took over in {took_s:.1f} s")
        assert took_s <= TAKE_OVER_S + MARGIN_S
        await sending
        await stage.assert_all_arrived()
        assert hole.hits > 0
        assert cut_off.running

        hole.lift()
        await until(lambda: _balanced(stage), 30, "the writer that was cut off works again")
        await sender.send(orders.http_orders(100, 25, HTTP_SOURCE))
        await stage.assert_all_arrived()
        await stage.end()


async def test_killing_the_writer_again_and_again_rejects_no_innocent_record(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    dynamodb_proxy.add(faults.Delay(20, 80), "PutItem", resource="order_history")
    sender = StreamSender(stage.ledger, stage.kinesis, stage.orders)
    await sender.send(orders.http_orders(200, 26, HTTP_SOURCE))
    rng = random.Random(26)
    for _ in range(4):
        # One order a call: what is killed has done little of its work.
        writer = await stage.writer(dynamodb=dynamodb_proxy, CADABRA_INSERTS_PER_CALL="1")
        before = dynamodb_proxy.calls["PutItem"]
        writes = rng.randrange(5, 25)
        await until(
            lambda before=before, writes=writes: dynamodb_proxy.calls["PutItem"] >= before + writes,  # type: ignore[misc]
            30,
            "the writer works",
            poll_s=0.01,
        )
        writer.kill9()
        assert await stage.open_orders() > 0
        await stage.assert_no_checkpoint_before_its_effect()
    deaths = [lease["deaths"] for lease in (await stage.leases()).values()]
    print(f"deaths by shard: {deaths}")
    await stage.writer(dynamodb=dynamodb_proxy)
    await stage.assert_all_arrived()
    await stage.end()


async def _holds(stage: Stage, service: ServiceProcess, shards: int) -> bool:
    return (await stage.owners()).get(stage.instance(service)) == shards


def _assert_no_step_back(before: dict[str, Any], after: dict[str, Any]) -> None:
    for shard_id, lease in before.items():
        if lease["checkpoint"].isdigit():
            assert passed(after[shard_id], int(lease["checkpoint"])), f"{shard_id} went back"
