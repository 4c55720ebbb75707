"""Orders by HTTP and in files at the same time, through all three services on the way of an order."""

from __future__ import annotations

import asyncio
import itertools

from tests.fault import faults, orders
from tests.fault.ledger import FileSender, HttpSender, StreamSender
from tests.fault.proxy import FaultProxy
from tests.fault.stage import FILE_SOURCE, HTTP_SOURCE, Stage
from tests.processes import ServiceProcess

HTTP_ORDERS = 250
FILE_LINES = 500
FILES = 4
_SENDERS = 8
_BATCH = 20
_LINE_PAUSE_S = 0.008
_ORDER_PAUSE_S = 0.12
_SENT_TIMEOUT_S = 60.0


class Load:
    """The load of one test; both ways take about five seconds when nothing is wrong.

    Args:
        kinesis, dynamodb: proxies that every service talks through.
        settings: environment variables for every service, beside those of the stage.
    """

    def __init__(
        self, stage: Stage, seed: int, kinesis: FaultProxy, dynamodb: FaultProxy, **settings: str
    ) -> None:
        self.stage = stage
        self._http = orders.http_orders(HTTP_ORDERS, seed, HTTP_SOURCE)
        self._files = orders.order_files(FILE_LINES, FILES, seed, FILE_SOURCE)
        self._seed = seed
        self._kinesis = kinesis
        self._dynamodb = dynamodb
        self._settings = settings

    async def start(self) -> dict[str, ServiceProcess]:
        """Start the services, then the senders; returns the services by name."""
        stage, names = self.stage, ("dynamodb_writer", "order_ingest", "order_file_ingest")
        started = await asyncio.gather(*map(self.start_service, names))
        http = HttpSender(stage.ledger, lambda: stage.ingest_url, stage.token, _SENDERS, _ORDER_PAUSE_S)
        files = FileSender(stage.ledger, stage.files, self._seed, pause_s=_LINE_PAUSE_S)
        self._sending = [stage.background(http.send(self._http)), stage.background(files.send(self._files))]
        return dict(zip(names, started, strict=True))

    async def start_service(self, name: str) -> ServiceProcess:
        """Start one service of this load, the first time or again."""
        if name == "order_ingest":
            return await self.stage.ingest(kinesis=self._kinesis, **self._settings)
        start = self.stage.writer if name == "dynamodb_writer" else self.stage.file_ingest
        return await start(kinesis=self._kinesis, dynamodb=self._dynamodb, **self._settings)

    async def sent(self) -> None:
        """Wait until the senders know the fate of all that they had to send."""
        await asyncio.wait_for(asyncio.gather(*self._sending), _SENT_TIMEOUT_S)

    @property
    def under_way(self) -> bool:
        """Whether a sender still has something to send."""
        return not all(sending.done() for sending in self._sending)

    async def stored_share(self) -> float:
        """Share of the orders that are in the store."""
        in_files = len({line.identity.order_id for _, lines in self._files for line in lines})
        return len(await self.stage.stored_orders()) / (len(self._http) + in_files)

    async def answered_share(self) -> float:
        """Share of the orders by HTTP whose fate is clear."""
        ledger = self.stage.ledger
        return (len(ledger.acknowledged) + len(ledger.refused)) / len(self._http)

    async def durable_share(self) -> float:
        """Share of the lines in files that are durable."""
        return self.stage.ledger.durable_lines / FILE_LINES


async def steady_load(sender: StreamSender, stopping: asyncio.Event, seed: int) -> None:
    """Send orders until told to stop, however long the test takes; each has a clear answer then."""
    for number in itertools.count():
        if stopping.is_set():
            return
        await sender.send(orders.http_orders(_BATCH, seed, HTTP_SOURCE, prefix=f"s{number}-"))


def slow_writes(dynamodb: FaultProxy) -> None:
    """Slow the order store down, and one write of eight far more: there are always open records below done ones.

    The slow ones take longer than the time between two checkpoints.
    """
    dynamodb.add(faults.Delay(1000, 1500), faults.INSERTS, resource="order_history", probability=0.125)
    dynamodb.add(faults.Delay(10, 50), faults.INSERTS, resource="order_history")
