"""Writers that die and stall: others go on where they stopped, and late hands do no harm."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.fault import faults, orders
from tests.fault.fleet import assert_no_step_back, holds
from tests.fault.ledger import StreamSender
from tests.fault.load import slow_writes
from tests.fault.proxy import FaultProxy
from tests.fault.stage import HTTP_SOURCE, LEASE_TIME_S, SHARDS, Stage
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


async def test_a_writer_stopped_past_its_lease_does_no_harm_when_it_wakes(
    stage: Stage, dynamodb_proxy: FaultProxy
) -> None:
    # The zombie's writes wait in a proxy of its own and reach the engine after the new owner's.
    async with FaultProxy(stage.engines.dynamodb, seed=5) as slow:
        zombie = await stage.writer(dynamodb=slow)
        await until(lambda: holds(stage, zombie, SHARDS), 20, "the first writer holds every shard")
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
        await until(lambda: holds(stage, other, SHARDS), 20, "the other writer holds every shard")
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
        assert_no_step_back(leases_before, await stage.leases())
        zombie.resume()
        await until(lambda: _balanced(stage), 30, "the zombie is a worker like any other again")
        assert zombie.running
        assert await stage.items() == before
        assert_no_step_back(leases_before, await stage.leases())
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
        await until(lambda: holds(stage, other, SHARDS), 20, "the other writer holds every shard")
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
