"""A namespace for tests of the command line: streams, a lease table, workers, and commands run as a person would."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import Detail
from services.kernel.streams.__main__ import main
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record, Stored
from services.kernel.streams.rejected import RejectedSink

APPLICATION = "dynamodb_writer"
# A lease outlasts a slow moment of the machine: one that is lost makes records come again, and these tests count them.
SETTINGS = GroupSettings(
    lease_time_s=3.0, poll_interval_s=0.1, checkpoint_interval_s=0.1, shard_sync_interval_s=0.5
)


@dataclass
class CommandStage:
    """A namespace with the stream `orders` of two shards, its dead letters and one lease table."""

    namespace: str
    kinesis: Kinesis
    dynamodb: DynamoDB
    leases: LeaseTable
    capture: pytest.CaptureFixture[str]
    handled: Counter[bytes] = field(default_factory=Counter)
    metrics: dict[str, GroupMetrics] = field(default_factory=dict)

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command as a person would: exit code, output, complaints."""
        self.capture.readouterr()
        code = await asyncio.to_thread(main, arguments)
        output = self.capture.readouterr()
        return code, output.out, output.err

    async def json(self, *arguments: str) -> Any:
        """Run a command that succeeds, and read what it prints for machines."""
        code, output, errors = await self.command(*arguments, "--json")
        assert code == 0, errors
        return json.loads(output)

    async def put(self, *numbers: int) -> None:
        """Put numbered records, spread over the shards by key."""
        batch = [(f"{n}".encode(), f"key-{n}") for n in numbers]
        puts = await self.kinesis.put_records(f"{self.namespace}-orders", batch)
        assert all(isinstance(put, Stored) for put in puts)

    async def until_handled(self, times: dict[int, int]) -> None:
        """Wait until each record was handled so many times."""
        wanted = {f"{n}".encode(): count for n, count in times.items()}
        await self.until(lambda: dict(self.handled) == wanted, lambda: dict(self.handled))

    async def until_handled_at_least(self, times: dict[int, int]) -> None:
        """Wait until each record was handled so many times or more."""
        await self.until(
            lambda: all(self.handled[f"{n}".encode()] >= count for n, count in times.items()),
            lambda: dict(self.handled),
        )

    async def until_checkpointed(self) -> None:
        """Wait until nothing that was handled would come again by itself: the shard that was split is at its end."""
        deadline = time.monotonic() + 20
        while not (await self.leases.read())[shard(0)].ended:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def until_shared(self) -> None:
        """Wait until the workers one and two hold a shard each and know it: a steal makes records come twice."""
        deadline = time.monotonic() + 20
        while sorted(str(lease.owner) for lease in (await self.leases.read()).values()) != [
            "one",
            "two",
        ] or any(metrics.leases_held._value.get() != 1 for metrics in self.metrics.values()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def until(self, condition: Any, seen: Any = lambda: None) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, seen()
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[asyncio.Task[None]]:
        """Run a worker of the application; leaving asks it to stop and waits for it."""

        async def handle(record: Record) -> None:
            self.handled[record.data] += 1

        stopping, ready = asyncio.Event(), asyncio.Event()
        producer = Producer(self.kinesis, f"{self.namespace}-rejected")
        self.metrics[name] = GroupMetrics()
        group = ConsumerGroup(
            APPLICATION,
            f"{self.namespace}-orders",
            self.kinesis,
            self.leases,
            per_record(handle),
            RejectedSink(producer, APPLICATION),
            SETTINGS,
            self.metrics[name],
            worker_id=name,
        )
        task = asyncio.create_task(group.run(stopping, ready.set))
        try:
            await asyncio.wait_for(ready.wait(), 10)
            yield task
        finally:
            stopping.set()
            await asyncio.gather(task, return_exceptions=True)
            await producer.drain()
            del self.metrics[name]

    async def reject(self, data: bytes, stream: str | None = "orders") -> str:
        """Keep a dead letter; returns its id."""
        producer = Producer(self.kinesis, f"{self.namespace}-rejected")
        try:
            return await RejectedSink(producer, APPLICATION).put(
                "contract_violation",
                "a test",
                data,
                [Detail("/currency", "pattern")],
                stream=f"{self.namespace}-{stream}" if stream else None,
                shard_id="shardId-000000000000" if stream else None,
                sequence_number=7 if stream else None,
                file=None if stream else "orders.csv",
                offset=None if stream else 12,
            )
        finally:
            await producer.drain()


def shard(number: int) -> str:
    """The id of a shard by its number."""
    return f"shardId-{number:012d}"
