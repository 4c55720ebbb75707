"""Shards that split and merge under load: what comes out of them waits for the last record of every parent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.fault import faults, orders
from tests.fault.fleet import ended, until_balanced, wait_for_heartbeats
from tests.fault.ledger import StreamSender
from tests.fault.load import slow_writes, steady_load
from tests.fault.proxy import FaultProxy, Rule
from tests.fault.resharding import falls_into, merge, open_shards, split, until_leases
from tests.fault.stage import HTTP_SOURCE, SHARDS, Stage
from tests.fault.waiting import until

WRITERS = 2
LOAD_PAUSE_S = 0.15


@dataclass
class Reshard:
    """Two writers at work under load, and some records of one shard that get no effect until the test lets them.

    Args:
        slow: the rule that holds those records.
        held: the orders that they are.
    """

    stage: Stage
    sender: StreamSender
    slow: Rule
    held: set[str]
    loading: asyncio.Task[None]
    enough: asyncio.Event

    async def assert_children_wait(self, children: list[str]) -> set[str]:
        """No record of the children has an effect, though both writers looked; returns the orders they hold."""
        await until_leases(self.stage, children)
        await until(lambda: bool(self.sender.taken_by(*children)), 20, "the children hold records")
        await wait_for_heartbeats(self.stage, 5)
        assert not self.loading.done()
        sent = self.sender.taken_by(*children)
        assert not sent & await self.stage.stored_orders(), "a child was read before its parents' end"
        leases = await self.stage.leases()
        assert {leases[child]["checkpoint"] for child in children} == {"TRIM_HORIZON"}
        return sent

    async def assert_all_goes_on(self, parents: list[str], sent: set[str], leases: int) -> None:
        """With the last records of the parents done, the children are read, and nothing is lost or doubled."""
        self.slow.lift()
        ended_s = await until(lambda: _ended(self.stage, parents), 20, "the parents are at their end")
        read_s = await until(lambda: _any_stored(self.stage, sent), 20, "the children are read")
        print(f"{len(sent)} orders waited, parents ended after {ended_s:.1f} s, read {read_s:.1f} s later")
        assert self.held <= await self.stage.stored_orders()
        self.enough.set()
        await self.loading
        await self.stage.assert_all_arrived()
        assert len(await self.stage.leases()) == leases
        await self.stage.end()


async def _under_load(stage: Stage, proxy: FaultProxy, shard: Any, seed: int) -> Reshard:
    """Two writers, a load, and the last records of one shard held on their way to the store."""
    slow_writes(proxy)
    # One order a call, so that those held up hold up no others.
    settings = {"CADABRA_SHARD_SYNC_INTERVAL_S": "1", "CADABRA_INSERTS_PER_CALL": "1"}
    writers = await asyncio.gather(*(stage.writer(proxy, None, **settings) for _ in range(WRITERS)))
    await until_balanced(stage, writers)
    sender = StreamSender(stage.ledger, stage.kinesis, stage.orders, pause_s=LOAD_PAUSE_S)
    enough = asyncio.Event()
    loading = stage.background(steady_load(sender, enough, seed))
    await until(lambda: _stored(stage, 80), 30, "the load runs")
    never = faults.Delay(600_000, 600_000)
    slow = proxy.add(never, "PutItem", resource="order_history", holding=b'"slow')
    candidates = orders.http_orders(40, seed, HTTP_SOURCE, "slow")
    last = [order for order in candidates if falls_into(shard, order)]
    await sender.send(last)
    held = {order.body["order_id"] for order in last if order.valid}
    await until(lambda: slow.hits == len(held) > 0, 20, "records of the parent are at work")
    return Reshard(stage, sender, slow, held, loading, enough)


async def test_children_of_a_split_under_load_wait_for_the_last_record_of_their_parent(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    parent = (await open_shards(stage))[0]
    reshard = await _under_load(stage, dynamodb_proxy, parent, 11)
    children = await split(stage, parent)
    sent = await reshard.assert_children_wait(children)
    await reshard.assert_all_goes_on([parent["ShardId"]], sent, leases=SHARDS + 2)


async def test_the_child_of_a_merge_under_load_waits_for_the_last_record_of_both_parents(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    shard, adjacent = (await open_shards(stage))[1:3]
    # The parent that Kinesis calls the adjacent one is the late one: a reader that knows one parent only fails here.
    reshard = await _under_load(stage, dynamodb_proxy, adjacent, 13)
    children = await merge(stage, shard, adjacent)
    await until(lambda: _ended(stage, [shard["ShardId"]]), 20, "one parent is at its end")
    sent = await reshard.assert_children_wait(children)
    leases = await stage.leases()
    assert set(leases[children[0]]["parents"]) == {shard["ShardId"], adjacent["ShardId"]}
    assert not ended(leases, adjacent["ShardId"])
    await reshard.assert_all_goes_on([adjacent["ShardId"]], sent, leases=SHARDS + 1)


async def _ended(stage: Stage, shard_ids: list[str]) -> bool:
    leases = await stage.leases()
    return all(ended(leases, shard_id) for shard_id in shard_ids)


async def _stored(stage: Stage, parts: int) -> bool:
    return await stage.stored_parts() >= parts


async def _any_stored(stage: Stage, order_ids: set[str]) -> bool:
    return bool(order_ids & await stage.stored_orders())
