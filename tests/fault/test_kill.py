"""kill -9 of each service on the way of an order, at a random point of the load: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.fault import faults, orders
from tests.fault.ledger import FileSender, HttpSender
from tests.fault.proxy import FaultProxy
from tests.fault.stage import FILE_SOURCE, HTTP_SOURCE, Stage
from tests.fault.waiting import until
from tests.processes import ServiceProcess

SEEDS = [1, 2, 3]
HTTP_ORDERS = 250
FILE_LINES = 500
FILES = 4


class Load:
    """Orders by HTTP and in files at the same time, through slow engines, so that work is always open."""

    def __init__(
        self, stage: Stage, seed: int, kinesis: FaultProxy, dynamodb: FaultProxy, share: float
    ) -> None:
        self.stage = stage
        self._http = orders.http_orders(HTTP_ORDERS, seed, HTTP_SOURCE)
        self._files = orders.order_files(FILE_LINES, FILES, seed, FILE_SOURCE)
        self._seed = seed
        self._kinesis = kinesis
        self._dynamodb = dynamodb
        self._share = share
        kinesis.add(faults.Delay(20, 60), "PutRecords")
        dynamodb.add(faults.Delay(20, 80), "PutItem", resource="order_history")

    async def start(self) -> dict[str, ServiceProcess]:
        """Start the three services."""
        stage = self.stage
        started = await asyncio.gather(self.writer(), self.ingest(), self.file_ingest())
        self._sending = asyncio.gather(
            HttpSender(stage.ledger, lambda: stage.ingest_url, stage.token, concurrency=8).send(self._http),
            FileSender(stage.ledger, stage.files, self._seed, pause_s=0.008).send(self._files),
        )
        return {service.name: service for service in started}

    async def writer(self) -> ServiceProcess:
        return await self.stage.writer(dynamodb=self._dynamodb)

    async def ingest(self) -> ServiceProcess:
        return await self.stage.ingest(kinesis=self._kinesis)

    async def file_ingest(self) -> ServiceProcess:
        return await self.stage.file_ingest(kinesis=self._kinesis)

    async def sent(self) -> None:
        """Wait until the senders know the fate of all that they had to send."""
        await self._sending

    async def written(self) -> bool:
        """Whether the share of the orders is in the store."""
        in_files = len({line.identity.order_id for _, lines in self._files for line in lines})
        return len(await self.stage.stored_orders()) >= self._share * (len(self._http) + in_files)

    async def acknowledged(self) -> bool:
        """Whether the share of the orders has its answer."""
        ledger = self.stage.ledger
        return len(ledger.acknowledged) + len(ledger.refused) >= self._share * len(self._http)

    async def on_disk(self) -> bool:
        """Whether the share of the order files is durable."""
        return self.stage.ledger.durable_lines >= self._share * FILE_LINES


async def _writer_was_at_work(stage: Stage, _: int) -> None:
    open_orders = await stage.open_orders()
    print(f"{open_orders} acknowledged orders were not stored")
    assert open_orders > 0
    await stage.assert_no_checkpoint_before_its_effect()


async def _ingest_was_at_work(stage: Stage, in_flight: int) -> None:
    print(f"{in_flight} orders were without an answer")
    assert in_flight > 0
    acknowledged = {line for line in stage.ledger.certain if line.source == HTTP_SOURCE}
    assert acknowledged <= await stage.streamed()


async def _file_ingest_was_at_work(stage: Stage, _: int) -> None:
    durable = {line for line in stage.ledger.certain if line.source == FILE_SOURCE}
    positions, streamed = await stage.positions(), await stage.streamed()
    print(f"{len(durable - streamed)} of {len(durable)} durable lines were not in the stream")
    assert sum(positions.values()) < sum(stage.ledger.durable_bytes.values())
    for unsent in durable - streamed:
        name, _, offset = unsent.line_id.rpartition(":")
        assert int(offset) >= positions.get(name, 0), f"{unsent} is passed over"


Check = Callable[[Stage, int], Awaitable[None]]
VICTIMS: dict[str, tuple[Callable[[Load], Callable[[], Awaitable[bool]]], Check]] = {
    "dynamodb_writer": (lambda load: load.written, _writer_was_at_work),
    "order_ingest": (lambda load: load.acknowledged, _ingest_was_at_work),
    "order_file_ingest": (lambda load: load.on_disk, _file_ingest_was_at_work),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", list(VICTIMS))
async def test_kill_9_loses_and_doubles_nothing(
    stage: Stage, kinesis_proxy: FaultProxy, dynamodb_proxy: FaultProxy, victim: str, seed: int
) -> None:
    share = random.Random(f"{victim} {seed}").uniform(0.2, 0.8)
    print(f"seed {seed}: {victim} dies at {share:.0%} of the load")
    load = Load(stage, seed, kinesis_proxy, dynamodb_proxy, share)
    services = await load.start()
    reached, was_at_work = VICTIMS[victim]
    await until(reached(load), 60, f"{share:.0%} of the load is done", poll_s=0.02)

    in_flight = stage.ledger.in_flight
    services[victim].kill9()
    await was_at_work(stage, in_flight)
    restart = {
        "dynamodb_writer": load.writer,
        "order_ingest": load.ingest,
        "order_file_ingest": load.file_ingest,
    }
    await restart[victim]()
    await asyncio.wait_for(load.sent(), 60)
    await stage.assert_all_arrived()
    assert set(stage.ledger.refused.values()) <= {422}
    if victim == "order_ingest":
        assert stage.ledger.answers["cut"] > 0
    await stage.end()
