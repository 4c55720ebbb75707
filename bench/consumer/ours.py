"""A worker of our consumer group, for the bench: `per_record` with the bench's handler."""

from __future__ import annotations

import argparse
import asyncio
import signal

from bench.consumer.handler import LedgerHandler, options, say_ready
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import logs
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record
from services.kernel.streams.rejected import RejectedSink

POLL_INTERVAL_S = 0.2  # as `make up` sets it; everything else is the default


async def main(given: argparse.Namespace) -> None:
    """Consume until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    ledger = LedgerHandler(given.ledger, given.stall_s)

    async def handle(record: Record) -> None:
        await ledger.handle(record.data)

    async with (
        Kinesis.open(given.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(given.dynamodb, "us-east-1") as dynamodb,
    ):
        group = ConsumerGroup(
            application=given.application,
            stream=given.stream,
            kinesis=kinesis,
            leases=LeaseTable(dynamodb, given.application),
            processor=per_record(handle),
            rejects=RejectedSink(Producer(kinesis, "bench-rejected"), service="bench"),
            settings=GroupSettings(lease_time_s=given.lease_time_s, poll_interval_s=POLL_INTERVAL_S),
            metrics=GroupMetrics(),
        )
        await group.run(stopping, on_ready=say_ready)


if __name__ == "__main__":
    logs.setup("bench")
    asyncio.run(main(options()))
