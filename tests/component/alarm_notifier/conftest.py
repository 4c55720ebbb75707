"""Notifiers as processes, a namespace of their own, and somebody who is told."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts import catalog
from contracts.codec import OrderRateAlarm
from deploy.local.webhook_receiver import Received, Receiver, listening, visitor
from services.alarm_notifier.store import AlarmStore, Tables
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.sns import Sns
from services.kernel.provision import provision, remove
from services.kernel.streams.records import Stored
from tests import processes
from tests.alarms import a_record
from tests.component.order_path import Security
from tests.engines import Engines, local_environment
from tests.fault.waiting import until
from tests.processes import ServiceProcess

FAST = {
    "CADABRA_POLL_INTERVAL_S": "0.1",
    "CADABRA_LEASE_TIME_S": "2",
    "CADABRA_DELIVERY_LEASE_S": "1",
    "CADABRA_GROUP_WAIT_S": "0.2",
    "CADABRA_MAX_BACKOFF_S": "0.5",
    "CADABRA_CONSOLE_URL": "https://console.shop.example",
}
"""Settings that shorten every wait; the code that runs is the same."""


@dataclass
class Desk:
    """One namespace: the job's end of the stream, the phones' end of the topic, the operators' API."""

    engines: Engines
    namespace: str
    kinesis: Kinesis
    dynamodb: DynamoDB
    sns: Sns
    topic_arn: str
    store: AlarmStore
    receiver: Receiver
    session: aiohttp.ClientSession
    security: Security
    folder: Path
    processes: list[ServiceProcess]

    async def start(self, **settings: str) -> ServiceProcess:
        """Start a notifier; requests go to the newest one."""
        environment = {
            **local_environment(self.engines),
            "CADABRA_NAMESPACE": self.namespace,
            "CADABRA_RUN_ID": self.engines.run_id,
            **self.security.settings,
            **FAST,
            **settings,
        }
        process = await processes.start("alarm_notifier", self.folder, environment)
        self.processes.append(process)
        return process

    async def put(self, *alarms: OrderRateAlarm) -> None:
        """Put records into the stream, one after another."""
        for alarm in alarms:
            record = a_record(alarm)
            await self.put_bytes(record.data, record.partition_key)

    async def put_bytes(self, data: bytes, key: str) -> None:
        """Put bytes into the stream."""
        (put,) = await self.kinesis.put_records(f"{self.namespace}-order-rate-alarms", [(data, key)])
        assert isinstance(put, Stored)

    async def is_stored(self, incident_id: str, state: str) -> bool:
        """Whether an incident is stored in this state."""
        return (await self.store.incident(incident_id)).list == state

    def told(self, kind: str | None = None, of: OrderRateAlarm | None = None) -> list[Received]:
        """What webhooks were told so far: of any kind and incident, or of these."""
        return [
            one
            for one in self.receiver.messages
            if kind in (None, one.body["kind"])
            and (
                of is None
                or of.incident_id in [told["record"]["incident_id"] for told in one.body["incidents"]]
            )
        ]

    async def is_told(
        self, kind: str, count: int = 1, of: OrderRateAlarm | None = None, timeout_s: float = 20.0
    ) -> list[Received]:
        """Wait until webhooks were told so many messages of a kind."""
        await until(lambda: len(self.told(kind, of)) >= count, timeout_s, f"{count} messages: {kind}")
        return self.told(kind, of)

    async def ask(
        self, method: str, path: str, body: Any = None, role: str = "operator", **options: Any
    ) -> tuple[int, Any]:
        """Ask the newest notifier's API; status and document."""
        options.setdefault("headers", self.security.token(role, "anna"))
        async with self.session.request(
            method, self.processes[-1].url + path, json=body, **options
        ) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def a_desk(engines: Engines, namespace: str, folder: Path) -> AsyncIterator[Desk]:
    """A fresh namespace with a receiver, and no notifier yet."""
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
        Sns.open(engines.aws, "us-east-1") as sns,
        aiohttp.ClientSession() as session,
    ):
        whole = catalog.load()
        ours = replace(
            whole, streams={name: whole.streams[name] for name in ("order-rate-alarms", "rejected")}
        )
        await provision(kinesis, dynamodb, namespace, ours, shards=2, sns=sns)
        topic_arn = await sns.create_topic(f"{namespace}-order-rate-alarms")
        receiver = Receiver(topic_arn, engines.aws, visitor(session))
        async with listening(receiver, "127.0.0.1") as port:
            await sns.subscribe(topic_arn, "http", f"http://127.0.0.1:{port}/", {"channels": ["webhook"]})
            await until(receiver.confirmed.is_set, 10, "the subscription is confirmed")
            desk = Desk(
                engines=engines,
                namespace=namespace,
                kinesis=kinesis,
                dynamodb=dynamodb,
                sns=sns,
                topic_arn=topic_arn,
                store=AlarmStore(dynamodb, Tables.of(namespace)),
                receiver=receiver,
                session=session,
                security=Security.make(folder),
                folder=folder,
                processes=[],
            )
            try:
                yield desk
            finally:
                for process in desk.processes:
                    process.kill9()
                    print(f"--- {process.name} {process.pid}\n{process.log_tail()}")
                await remove(kinesis, dynamodb, namespace, ours)


@pytest.fixture
async def desk(engines: Engines, aws_endpoint: str, namespace: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk of the test's own."""
    async with a_desk(replace(engines, aws=aws_endpoint), namespace, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
async def office(
    engines: Engines, aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """A desk with a notifier that runs, for tests that only need incidents of their own."""
    folder = tmp_path_factory.mktemp("office")
    async with a_desk(replace(engines, aws=aws_endpoint), f"t{uuid.uuid4().hex[:8]}", folder) as found:
        await found.start(CADABRA_REMINDER_S="1.5", CADABRA_MAX_SMS_PER_HOUR="1000")
        yield found
