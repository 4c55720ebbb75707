"""A worker that changes nothing and writes down every record it is given: `python -m tests.fault.witness`.

It shows what no sink can show: how often a record was handled, and by whom. What it wrote survives a kill -9.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import lease_table, physical_name
from services.kernel.core.settings import ServiceSettings, setting
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import Handler, per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record
from services.kernel.streams.rejected import RejectedSink

CONCURRENCY = 8
LONGEST_WORK_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, GroupSettings):
    """What the witness reads, and where it writes it down."""

    applications: str = setting("CADABRA_TEST_APPLICATIONS", default="", help="names, separated by commas")
    handlings: Path | None = setting("CADABRA_TEST_HANDLINGS", default=None, help="file to append to")


@contextmanager
def _book(path: Path) -> Iterator[int]:
    """A file of which every write is whole and stays, whatever becomes of the process."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _handler(application: str, book: int, rng: random.Random) -> Handler:
    def write(event: str, record: Record) -> None:
        place = [record.shard_id, record.sequence_number, record.partition_key]
        os.write(book, json.dumps([event, time.time(), application, *place]).encode() + b"\n")

    async def handle(record: Record) -> None:
        write("begun", record)
        await asyncio.sleep(rng.uniform(0, LONGEST_WORK_S))
        write("done", record)

    return handle


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Read as every application named, until asked to stop; ready once each has looked at its leases."""
    names = settings.applications.split(",")
    assert settings.handlings is not None
    orders = physical_name(settings.namespace, "orders")
    looked: set[str] = set()

    def ready(name: str) -> None:
        looked.add(name)
        if len(looked) == len(names):
            life.ready()

    with _book(settings.handlings) as book:
        async with (
            Kinesis.open(settings.kinesis_endpoint, settings.region) as kinesis,
            DynamoDB.open(settings.dynamodb_endpoint, settings.region) as dynamodb,
            asyncio.TaskGroup() as groups,
        ):
            producer = Producer(kinesis, physical_name(settings.namespace, "rejected"))
            for name in names:
                group = ConsumerGroup(
                    application=name,
                    stream=orders,
                    kinesis=kinesis,
                    leases=LeaseTable(dynamodb, lease_table(settings.namespace, name)),
                    processor=per_record(_handler(name, book, random.Random(name)), CONCURRENCY),
                    rejects=RejectedSink(producer, service=name),
                    settings=settings,
                    metrics=GroupMetrics(),
                    worker_id=f"{settings.instance}-{os.getpid()}",
                )
                groups.create_task(group.run(life.stopping, lambda name=name: ready(name)))  # type: ignore[misc]


if __name__ == "__main__":
    run("witness", Settings, serve)
