"""A worker's handler and delivery over the memory twins, which outlive it, and a time that the test moves."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from contracts import catalog
from services.alarm_notifier.delivery import Delivery
from services.alarm_notifier.delivery_lease import DeliveryLease
from services.alarm_notifier.handler import AlarmHandler
from services.alarm_notifier.incident import Timing
from services.alarm_notifier.ledger import Ledger
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.operations import Operations
from services.alarm_notifier.rendering import Rendered
from services.alarm_notifier.store import AlarmStore, Tables
from services.alarm_notifier.watch import Patience, Watch
from services.kernel.adapters.dynamodb import IndexKeys, Key
from services.kernel.core.retry import Retry
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.sns import MemorySns

LEASE_S = 10.0
TABLES = Tables.of("n")


@dataclass
class World:
    """DynamoDB and SNS, which outlive every worker, and the time."""

    dynamodb: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    sns: MemorySns = field(default_factory=MemorySns)
    now_s: float = 1_322_000_900.0
    topic: str = ""

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def worker(self, name: str) -> Worker:
        return Worker(self, name)

    def incidents_told(self) -> Counter[str]:
        """How often each kind was published."""
        return Counter(one.attributes["kind"] for one in self.sns.published)

    def attempts(self) -> list[str]:
        return [one.attributes["attempt"] for one in self.sns.published]


class Worker:
    """One process: a handler and a delivery."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.metrics = NotifierMetrics()
        self.store = AlarmStore(world.dynamodb, TABLES)
        empty = Ledger(cap=10, digest_every_ms=600_000)
        self.lease = DeliveryLease(
            world.dynamodb, TABLES.messages, name, LEASE_S, empty, clock=lambda: world.now_s
        )
        watch = Watch(self.store, self.lease, Patience(3_600_000, 60_000), self.metrics)
        backoff = Retry(base_s=1.0, cap_s=30.0)
        self.delivery = Delivery(
            self.store, self.lease, watch, self._publish, self.metrics, LEASE_S, "", backoff, world.now_ms
        )
        # Writes after a publish are tried again at once: time stands still while they are.
        self.delivery._retry = Retry(sleep=lambda _s: asyncio.sleep(0))
        self.handler = AlarmHandler(
            self.store, Timing(900_000, 0), self.metrics, self.delivery.wake, world.now_ms
        )
        self.operations = Operations(self.store, self.delivery.wake, world.now_ms)

    async def _publish(self, rendered: Rendered) -> str:
        return await self.world.sns.publish(
            self.world.topic, rendered.subject, rendered.texts, rendered.attributes
        )

    async def deliver(self, turns: int = 4) -> None:
        """Beat and look at the outbox a few times, waiting for what is on its way each time."""
        for _ in range(turns):
            if await self.lease.keep():
                self.delivery._watching_since_ms = self.world.now_ms()
            await self.delivery.turn()
            publishing = list(self.delivery._publishing)
            if publishing:
                await asyncio.wait(publishing)
            if self.delivery._crash is not None:
                raise self.delivery._crash


async def a_world() -> World:
    """An empty store and a topic."""
    found = World()
    for table in catalog.load().tables.values():
        if not table.name.startswith("alarm_"):
            continue
        range_key = Key(table.range.name) if table.range else None
        indexes = [
            IndexKeys(
                one.name, Key(one.hash.name), Key(one.range.name) if one.range else None, one.projection
            )
            for one in table.indexes
        ]
        await found.dynamodb.create_table(f"n-{table.name}", Key(table.hash.name), range_key, indexes)
    found.topic = await found.sns.create_topic("n-order-rate-alarms")
    return found
