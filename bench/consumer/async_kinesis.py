"""A worker of async-kinesis, for the bench: its consumer and DynamoDB checkpointer with the bench's handler.

Runs in .venv-bench-peers. What is set: the lease time of the bench and its usual third as heartbeat; reads as often
as the library can (its own loop pauses 0.2 s); the cheapest of its processors. Everything else is the default.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal

from kinesis import Consumer  # type: ignore[import-not-found]
from kinesis.dynamodb import DynamoDBCheckPointer  # type: ignore[import-not-found]
from kinesis.processors import StringProcessor  # type: ignore[import-not-found]

from bench.consumer.handler import LedgerHandler, options, say_ready

READS_PER_S = 20
PAUSE_AT_TIP_S = 0.2


async def main(given: argparse.Namespace) -> None:
    """Consume until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    ledger = LedgerHandler(given.ledger, given.stall_s)
    checkpointer = DynamoDBCheckPointer(
        given.application,
        id=os.getpid(),
        endpoint_url=given.dynamodb,
        session_timeout=int(given.lease_time_s),
        heartbeat_frequency=max(1, int(given.lease_time_s / 3)),
    )
    async with Consumer(
        given.stream,
        endpoint_url=given.kinesis,
        region_name="us-east-1",
        checkpointer=checkpointer,
        processor=StringProcessor(),
        shard_fetch_rate=READS_PER_S,
        sleep_time_no_records=PAUSE_AT_TIP_S,
        idle_timeout=0.5,
    ) as consumer:
        say_ready()
        while not stopping.is_set():
            async for item in consumer:
                await ledger.handle(item)
                if stopping.is_set():
                    break


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(options()))
