"""The fault proxy does what its rules say, and nothing where there is no rule."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import web
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until


class Engine:
    """An engine that takes everything and remembers it."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.bytes_seen: list[bytes] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bytes_seen.append(body)
        asked = json.loads(body)
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        self.taken.append((operation, asked))
        given: dict[str, Any] = {}
        if operation == "PutRecords":
            keys = [record["PartitionKey"] for record in asked["Records"]]
            outcomes = [{"SequenceNumber": key, "ShardId": "shard-0", "ErrorCode": None} for key in keys]
            given = {"FailedRecordCount": 0, "Records": outcomes}
        return web.Response(body=json.dumps(given).encode(), content_type="application/x-amz-json-1.1")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engine.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield engine
    await runner.cleanup()


@pytest.fixture
async def proxy(engine: Engine) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(engine.url, seed=7) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def session() -> Any:
    """One for all tests: it reads the SDK's descriptions of the services once."""
    return get_session()


@pytest.fixture
async def sdk(proxy: FaultProxy, session: Any) -> AsyncIterator[tuple[Any, Any]]:
    config = AioConfig(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=2)
    given = {"region_name": "us-east-1", "endpoint_url": proxy.url, "config": config}
    secret = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    async with (
        session.create_client("kinesis", **given, **secret) as kinesis,
        session.create_client("dynamodb", **given, **secret) as dynamodb,
    ):
        yield kinesis, dynamodb


Sdk = tuple[Any, Any]


async def _put(kinesis: Any, keys: list[str]) -> Any:
    records = [{"Data": b"x" * 100, "PartitionKey": key} for key in keys]
    return await kinesis.put_records(StreamName="orders", Records=records)


async def test_without_a_rule_every_byte_passes(engine: Engine, proxy: FaultProxy) -> None:
    body = b'{"StreamName":  "orders", "Records":[]}'
    async with aiohttp.ClientSession() as http:
        target = {"X-Amz-Target": "Kinesis_20131202.PutRecords"}
        async with http.post(proxy.url + "/", data=body, headers=target) as response:
            assert response.status == 200
            assert json.loads(await response.read()) == {"FailedRecordCount": 0, "Records": []}
    assert engine.bytes_seen == [body]
    assert proxy.calls == {"PutRecords": 1}
    assert proxy.forwarded == {"PutRecords": 1}


async def test_throttle_speaks_each_services_language(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    kinesis, dynamodb = sdk
    rule = proxy.add(faults.Throttle())
    calls = {
        "PutRecords": (_put(kinesis, ["1"]), "ProvisionedThroughputExceededException"),
        "ListShards": (kinesis.list_shards(StreamName="orders"), "LimitExceededException"),
        "PutItem": (
            dynamodb.put_item(TableName="t", Item={"k": {"S": "1"}}),
            "ProvisionedThroughputExceededException",
        ),
    }
    for call, code in calls.values():
        with pytest.raises(ClientError) as caught:
            await call
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert rule.hits == 3
    assert engine.taken == []


async def test_error_500(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    proxy.add(faults.Error500())
    codes = []
    for call in (_put(sdk[0], ["1"]), sdk[1].put_item(TableName="t", Item={"k": {"S": "1"}})):
        with pytest.raises(ClientError) as caught:
            await call
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        codes.append(caught.value.response["Error"]["Code"])
    assert codes == ["InternalFailure", "InternalServerError"]
    assert engine.taken == []


async def test_rules_choose_by_operation_resource_count_and_skip(
    engine: Engine, proxy: FaultProxy, sdk: Sdk
) -> None:
    _, dynamodb = sdk
    rule = proxy.add(faults.Throttle(), "PutItem", resource="order_history", skip=1, count=2)
    failed = []
    for number in range(5):
        await dynamodb.put_item(TableName="n-leases", Item={"k": {"S": "1"}})
        await dynamodb.get_item(TableName="n-order_history", Key={"k": {"S": "1"}})
        try:
            await dynamodb.put_item(TableName="n-order_history", Item={"k": {"S": "1"}})
        except ClientError:
            failed.append(number)
    assert failed == [1, 2]
    assert rule.hits == 2
    assert not rule.active
    assert len(engine.taken) == 13


async def test_probability_is_seeded_and_about_right(engine: Engine) -> None:
    async def hits(seed: int) -> list[bool]:
        async with FaultProxy(engine.url, seed) as proxy, aiohttp.ClientSession() as http:
            proxy.add(faults.Error500(), probability=0.3)
            outcomes = []
            for _ in range(200):
                headers = {"X-Amz-Target": "Kinesis_20131202.GetRecords"}
                async with http.post(proxy.url, data=b"{}", headers=headers) as response:
                    outcomes.append(response.status == 500)
            return outcomes

    first = await hits(3)
    assert first == await hits(3)
    assert first != await hits(4)
    assert 30 <= sum(first) <= 90


async def test_partial_put_marks_the_right_positions(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    fault = faults.PartialPut(0.4)
    rule = proxy.add(fault, "PutRecords")
    keys = [str(number) for number in range(100)]
    answer = await _put(sdk[0], keys)
    stored = {record["PartitionKey"] for record in engine.taken[0][1]["Records"]}
    assert len(answer["Records"]) == 100
    for key, outcome in zip(keys, answer["Records"], strict=True):
        if key in stored:
            assert outcome["SequenceNumber"] == key
            assert not outcome.get("ErrorCode")
        else:
            assert "SequenceNumber" not in outcome
            assert outcome["ErrorCode"] in fault.codes
    assert {o["ErrorCode"] for o in answer["Records"] if o.get("ErrorCode")} == set(fault.codes)
    assert answer["FailedRecordCount"] == 100 - len(stored) == fault.failed
    assert 20 <= fault.failed <= 60
    assert rule.hits == 1


async def test_partial_put_may_fail_every_record_without_asking_the_engine(
    engine: Engine, proxy: FaultProxy, sdk: Sdk
) -> None:
    proxy.add(faults.PartialPut(1.0), "PutRecords")
    answer = await _put(sdk[0], ["1", "2"])
    assert answer["FailedRecordCount"] == 2
    assert engine.taken == []


@pytest.mark.parametrize(("fault", "effects"), [(faults.CutBefore(), 0), (faults.CutAfter(), 1)])
async def test_cut(engine: Engine, proxy: FaultProxy, sdk: Sdk, fault: faults.Fault, effects: int) -> None:
    rule = proxy.add(fault, count=1)
    with pytest.raises(ConnectionClosedError):
        await _put(sdk[0], ["1"])
    assert len(engine.taken) == effects
    assert rule.hits == 1
    assert (await _put(sdk[0], ["2"]))["FailedRecordCount"] == 0


async def test_delay(proxy: FaultProxy, sdk: Sdk) -> None:
    proxy.add(faults.Delay(150, 200))
    begin_s = time.monotonic()
    await _put(sdk[0], ["1"])
    assert 0.15 <= time.monotonic() - begin_s < 2


async def test_black_hole_holds_until_lifted(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    rule = proxy.add(faults.BlackHole())
    call = asyncio.ensure_future(_put(sdk[0], ["1"]))
    await until(lambda: rule.hits == 1, 5, "the call has arrived")
    done, _ = await asyncio.wait([call], timeout=0.2)
    assert not done
    rule.lift()
    with pytest.raises(ConnectionClosedError):
        await call
    assert engine.taken == []


async def test_a_call_held_on_its_way_never_arrives_once_its_sender_is_gone(
    engine: Engine, proxy: FaultProxy
) -> None:
    rule = proxy.add(faults.Delay(60_000, 60_000), holding=b"slow")
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem"}
    async with aiohttp.ClientSession() as http:
        call = asyncio.ensure_future(http.post(proxy.url, data=b'{"k": "slow"}', headers=headers))
        await until(lambda: rule.hits == 1, 5, "the call has arrived")
        call.cancel()
        await asyncio.wait([call])
        async with http.post(proxy.url, data=b'{"k": "other"}', headers=headers) as response:
            assert response.status == 200
        rule.lift()
        async with http.post(proxy.url, data=b'{"k": "slow"}', headers=headers) as response:
            assert response.status == 200
    assert rule.hits == 1
    assert [asked["k"] for _, asked in engine.taken] == ["other", "slow"]
    assert proxy.forwarded["PutItem"] == 2


async def test_outage_refuses_in_both_ways_until_lifted(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    rule = proxy.outage()
    seen = set()
    for _ in range(20):
        with pytest.raises((ClientError, ConnectionClosedError)) as caught:
            await _put(sdk[0], ["1"])
        seen.add(caught.type)
    assert {kind.__name__ for kind in seen} == {"ClientError", "ConnectionClosedError"}
    assert rule.hits == 20
    assert engine.taken == []
    rule.lift()
    await _put(sdk[0], ["1"])
    assert len(engine.taken) == 1


async def test_rules_stack_in_order(engine: Engine, proxy: FaultProxy, sdk: Sdk) -> None:
    slow = proxy.add(faults.Delay(50, 60))
    partial = faults.PartialPut(0.5)
    proxy.add(partial)
    lost = proxy.add(faults.CutAfter(), count=1)
    with pytest.raises(ConnectionClosedError):
        await _put(sdk[0], ["1", "2", "3", "4"])
    answer = await _put(sdk[0], ["1", "2", "3", "4"])
    assert answer["FailedRecordCount"] == 4 - len(engine.taken[-1][1]["Records"])
    assert slow.hits == 2
    assert lost.hits == 1


async def test_a_window_of_time_ends_by_itself(proxy: FaultProxy, sdk: Sdk) -> None:
    rule = proxy.outage(duration_s=1.5)
    with pytest.raises((ClientError, ConnectionClosedError)):
        await _put(sdk[0], ["1"])
    await until(lambda: not rule.active, 10, "the window is over")
    await _put(sdk[0], ["1"])


async def test_an_engine_that_is_away_closes_the_connection(sdk: Sdk) -> None:
    async with FaultProxy("http://127.0.0.1:1") as proxy, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.post(proxy.url, data=b"{}", headers={"X-Amz-Target": "Kinesis_20131202.GetRecords"})
