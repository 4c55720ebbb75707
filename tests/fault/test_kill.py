"""kill -9 of each service on the way of an order, at a random point of the load: nothing is lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from tests.fault import faults
from tests.fault.load import Load, slow_writes
from tests.fault.proxy import FaultProxy
from tests.fault.stage import HTTP_SOURCE, Stage
from tests.fault.waiting import until

SEEDS = [1, 2, 3]


async def _writer_was_at_work(stage: Stage, _in_flight: int) -> None:
    open_orders = await stage.open_orders()
    print(f"{open_orders} acknowledged orders were not stored")
    assert open_orders > 0
    await stage.assert_no_checkpoint_before_its_effect()


async def _ingest_was_at_work(stage: Stage, in_flight: int) -> None:
    print(f"{in_flight} orders were without an answer")
    assert in_flight > 0
    assert stage.ledger.certain_of(HTTP_SOURCE) <= await stage.streamed()


async def _file_ingest_was_at_work(stage: Stage, _in_flight: int) -> None:
    durable = stage.ledger.durable_lines
    waiting = await stage.assert_no_position_before_its_effect()
    print(f"{waiting} of {durable} durable lines were not in the stream")
    assert waiting > 0


Check = Callable[[Stage, int], Awaitable[None]]
VICTIMS: dict[str, tuple[Callable[[Load], Callable[[], Awaitable[float]]], Check]] = {
    "dynamodb_writer": (lambda load: load.stored_share, _writer_was_at_work),
    "order_ingest": (lambda load: load.answered_share, _ingest_was_at_work),
    "order_file_ingest": (lambda load: load.durable_share, _file_ingest_was_at_work),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", list(VICTIMS))
async def test_kill_9_loses_and_doubles_nothing(
    stage: Stage, kinesis_proxy: FaultProxy, dynamodb_proxy: FaultProxy, victim: str, seed: int
) -> None:
    share = random.Random(f"{victim} {seed}").uniform(0.2, 0.8)
    print(f"seed {seed}: {victim} dies at {share:.0%} of the load")
    kinesis_proxy.add(faults.Delay(20, 60), "PutRecords")
    slow_writes(dynamodb_proxy)
    load = Load(stage, seed, kinesis_proxy, dynamodb_proxy)
    services = await load.start()
    share_now, was_at_work = VICTIMS[victim]

    async def reached() -> bool:
        return await share_now(load)() >= share

    await until(reached, 60, f"{share:.0%} of the load is done", poll_s=0.02)
    if victim == "dynamodb_writer":
        # A writer that is fast is idle most of the time: what it does last takes longer than the look that follows.
        held = dynamodb_proxy.add(
            faults.Delay(5_000, 5_000), faults.INSERTS, resource="order_history", count=3
        )
        await until(lambda: held.hits > 0, 20, "an insert is under way", poll_s=0.001)
    await until(lambda: stage.ledger.in_flight > 0, 5, "an order is on its way", poll_s=0.001)
    in_flight = stage.ledger.in_flight
    services[victim].kill9()
    await was_at_work(stage, in_flight)
    await load.start_service(victim)
    await load.sent()
    await stage.assert_all_arrived()
    assert set(stage.ledger.refused.values()) <= {422}
    if victim == "order_ingest":
        assert stage.ledger.answers["cut"] > 0
    await stage.end()
