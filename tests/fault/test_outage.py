"""Engines that are away, slow, throttling or forgetful: everything waits, nothing is rejected, lost or doubled."""

from __future__ import annotations

import time

import pytest

from tests.fault import faults
from tests.fault.load import Load
from tests.fault.proxy import FaultProxy, Rule
from tests.fault.stage import HTTP_SOURCE, LEASE_TIME_S, Stage
from tests.fault.waiting import until

PUT_TIMEOUT_S = 1.0
OUTAGE_S = 3 * LEASE_TIME_S
"""Longer than every budget that ends: the put timeout (1 s here) and the lease time, of shards and of files."""


async def _reached(load: Load, share: float) -> None:
    async def reached() -> bool:
        return await load.answered_share() >= share and await load.durable_share() >= share

    await until(reached, 60, f"{share:.0%} of the load is done", poll_s=0.02)


async def test_a_dynamodb_outage_longer_than_every_budget(
    stage: Stage, kinesis_proxy: FaultProxy, dynamodb_proxy: FaultProxy
) -> None:
    load = Load(stage, 31, kinesis_proxy, dynamodb_proxy)
    services = await load.start()
    await _reached(load, 0.2)
    outage = dynamodb_proxy.outage()
    began_at_s, acknowledged = time.monotonic(), len(stage.ledger.acknowledged)
    await until(lambda: dynamodb_proxy.at_engine == 0, 10, "what was under way has its effect")
    stored_parts = await stage.stored_parts()

    await until(lambda: time.monotonic() - began_at_s > OUTAGE_S, OUTAGE_S + 5, "the outage was long")
    assert await stage.stored_parts() == stored_parts
    assert len(stage.ledger.acknowledged) > acknowledged, "order_ingest needs no DynamoDB"
    assert await stage.open_orders() > 0
    assert not await stage.stream_records("rejected")
    print(f"{outage.hits} calls were refused in {time.monotonic() - began_at_s:.1f} s")
    assert outage.hits > 20
    outage.lift()

    await load.sent()
    await stage.assert_all_arrived()
    assert all(service.running for service in services.values())
    assert set(stage.ledger.answers) <= {"202", "422"}
    await stage.end()


@pytest.mark.parametrize("fault", [faults.Outage(), faults.BlackHole()], ids=["refuses", "never-answers"])
async def test_a_kinesis_outage_acknowledges_nothing_that_is_not_stored(
    stage: Stage, kinesis_proxy: FaultProxy, dynamodb_proxy: FaultProxy, fault: faults.Fault
) -> None:
    load = Load(stage, 32, kinesis_proxy, dynamodb_proxy, CADABRA_PUT_TIMEOUT_S=str(PUT_TIMEOUT_S))
    services = await load.start()
    await _reached(load, 0.2)
    outage = kinesis_proxy.add(fault)
    began_at_s, tries = time.monotonic(), stage.ledger.in_flight + 1
    await until(lambda: stage.ledger.answers["503"] >= tries, 20, "every sender was answered 503")
    acknowledged, answers = len(stage.ledger.acknowledged), stage.ledger.answers.copy()

    await until(lambda: time.monotonic() - began_at_s > OUTAGE_S, OUTAGE_S + 5, "the outage was long")
    assert load.under_way
    assert len(stage.ledger.acknowledged) == acknowledged
    assert set(stage.ledger.answers - answers) <= {"503", "422"}, "a sender is answered, and told to wait"
    assert stage.ledger.certain_of(HTTP_SOURCE) <= await stage.streamed()
    assert await stage.assert_no_position_before_its_effect() > 0, "durable lines wait for the stream"
    print(f"{outage.hits} calls hit in {time.monotonic() - began_at_s:.1f} s, {stage.ledger.answers}")
    outage.lift()

    await load.sent()
    await stage.assert_all_arrived()
    assert all(service.running for service in services.values())
    await stage.end()


@pytest.mark.parametrize("seed", [41, 42])
async def test_throttles_partial_failures_errors_delays_and_lost_answers_all_at_once(
    stage: Stage, kinesis_proxy: FaultProxy, dynamodb_proxy: FaultProxy, seed: int
) -> None:
    partial, partial_insert = faults.PartialPut(0.3), faults.PartialInsert(0.3)
    kinesis, dynamodb = kinesis_proxy, dynamodb_proxy
    load = Load(stage, seed, kinesis, dynamodb)
    services = await load.start()

    def insert(fault: faults.Fault, probability: float, table: str = "order_history") -> Rule:
        return dynamodb.add(fault, faults.INSERTS, resource=table, probability=probability)

    rules = {
        "PutRecords slow": kinesis.add(faults.Delay(0, 50), "PutRecords"),
        "PutRecords partial": kinesis.add(partial, "PutRecords", probability=0.5),
        "PutRecords throttled": kinesis.add(faults.Throttle(), "PutRecords", probability=0.1),
        "PutRecords answer lost": kinesis.add(faults.CutAfter(), "PutRecords", probability=0.1),
        "PutRecords 500": kinesis.add(faults.Error500(), "PutRecords", probability=0.1),
        "GetRecords throttled": kinesis.add(faults.Throttle(), "GetRecords", probability=0.15),
        "GetRecords answer lost": kinesis.add(faults.CutAfter(), "GetRecords", probability=0.05),
        "GetRecords 500": kinesis.add(faults.Error500(), "GetRecords", probability=0.05),
        "insert slow": insert(faults.Delay(0, 50), 1.0),
        "insert partial": insert(partial_insert, 0.5),
        "insert throttled": insert(faults.Throttle(), 0.2),
        "insert answer lost": insert(faults.CutAfter(), 0.1),
        "insert cut": insert(faults.CutBefore(), 0.05),
        "insert 500": insert(faults.Error500(), 0.05),
        "lease answer lost": dynamodb.add(faults.CutAfter(), "UpdateItem", probability=0.1),
        "lease throttled": dynamodb.add(faults.Throttle(), "UpdateItem", probability=0.2),
        "position answer lost": insert(faults.CutAfter(), 0.4, "order_file_positions"),
    }
    await load.sent()
    stored = await stage.assert_all_arrived()
    hits = {name: rule.hits for name, rule in rules.items()}
    print(
        f"seed {seed}: {partial.failed} records and {partial_insert.failed} inserts failed in part, calls hit: {hits}"
    )
    repeats = len(await stage.stream_records()) - sum(stored.parts.values())
    print(f"{repeats} records are in the stream more than once")
    assert all(hits.values()), hits
    assert partial.failed > 10
    assert partial_insert.failed > 0
    assert repeats > 0, "a lost answer makes the producer send again"
    assert all(service.running for service in services.values())
    await stage.end()
