"""One storefront for these tests, over a history that they fill by the writer's own rules."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
import pytest

from contracts import codec
from services.dynamodb_writer.metrics import WriterMetrics
from services.dynamodb_writer.order_store import OrderStore
from tests import processes
from tests.component.order_path import Client, OrderPath, Security, order_path
from tests.component.storefront.versions import Version
from tests.engines import Engines, local_environment
from tests.orders import a_record
from tests.suites.rejected_list import RejectedList


@dataclass
class Shop:
    """A storefront and the history behind it."""

    path: OrderPath
    client: Client
    security: Security
    process: processes.ServiceProcess
    environment: dict[str, str]

    async def store(self, parts: Sequence[codec.Order]) -> None:
        """Write parts as the writer does, in this order of the stream."""
        table = f"{self.path.namespace}-order_history"
        store = OrderStore(self.path.dynamodb, table, RejectedList(), "orders", WriterMetrics())
        for number, part in enumerate(parts, start=1):
            await store.write(a_record(part, number))

    async def publish(self, version: Version) -> None:
        """Put a version into the table, then the pointer onto it, as a publisher does."""
        await version.write(self.path.dynamodb, self.path.namespace)
        await version.flip(self.path.dynamodb, self.path.namespace)

    def operator(self) -> dict[str, str]:
        """The header of somebody who reads all."""
        return self.security.token("operator", "anna")

    def customer(self, customer_id: str) -> dict[str, str]:
        """The header of a customer."""
        return self.security.token("customer", customer_id)


@pytest.fixture(scope="session")
async def shop(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("storefront")
    security = Security.make(folder)
    async with (
        order_path(engines, f"t{uuid.uuid4().hex[:8]}") as path,
        aiohttp.ClientSession() as session,
    ):
        environment = {
            **local_environment(engines),
            "CADABRA_NAMESPACE": path.namespace,
            "CADABRA_RUN_ID": engines.run_id,
            "CADABRA_POINTER_MAX_AGE_S": "0.05",
            # A slow moment of the machine is no failure, except where a test says so.
            "CADABRA_RECOMMENDATIONS_TIMEOUT_S": "5",
            **security.settings,
        }
        process = await processes.start("storefront", folder, environment)
        try:
            yield Shop(path, Client(session, process.url), security, process, environment)
        finally:
            process.kill9()
            print(process.log_tail())
