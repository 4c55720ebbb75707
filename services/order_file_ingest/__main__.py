"""Composition root of order_file_ingest; `resume NAME [--whole]` lets a paused file go on."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.scalars import timestamp
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import lifecycle, logs
from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource
from services.kernel.core.lifecycle import Lifecycle
from services.kernel.core.names import physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.settings import load
from services.kernel.streams.producer import Producer
from services.kernel.streams.rejected import RejectedSink
from services.kernel.tail.dynamodb_positions import DynamoDBPositions
from services.kernel.tail.lease import LeasePolicy
from services.order_file_ingest.folder import FolderWorker
from services.order_file_ingest.known_files import Limits
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.order_file import Pace
from services.order_file_ingest.resume import resume
from services.order_file_ingest.settings import Settings

NAME = "order_file_ingest"
_START_BUDGET_S = 30.0
_REJECTED_PENDING_BYTES = 8 * 1024 * 1024


def present_time() -> str:
    """The present time as contracts write it."""
    return timestamp(datetime.now(UTC))


def limits(settings: Settings) -> Limits:
    """Says in the worker's words what the settings ask for.

    Raises:
        Misconfigured: the folder does not exist.
    """
    if not settings.folder.is_dir():
        raise Misconfigured(f"CADABRA_ORDER_FILES_FOLDER: {settings.folder} is no folder")
    return Limits(
        folder=settings.folder,
        glob=settings.glob,
        source=settings.source,
        poll_interval_s=settings.poll_interval_s,
        changed_grace_s=settings.changed_grace_s,
        max_files=settings.max_files,
        max_line_bytes=settings.max_line_bytes,
        pace=Pace(
            idle_s=settings.idle_s,
            hold_s=settings.hold_s,
            drain_s=settings.stop_timeout_s / 2,
            open_bytes=settings.max_open_bytes // settings.max_files,
        ),
        lease=LeasePolicy(
            f"{settings.instance}-{uuid.uuid4().hex[:12]}",
            settings.lease_time_s,
            save_interval_s=min(1.0, settings.lease_time_s / 4),
        ),
        now=present_time,
    )


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Reads the folder until the service is asked to stop."""
    ours = limits(settings)
    metrics = FileMetrics()
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, data_plane=settings.data_plane
        ) as dynamodb,
    ):
        orders, rejected, positions = (
            physical_name(settings.namespace, name) for name in ("orders", "rejected", "order_file_positions")
        )
        await _require(kinesis, dynamodb, (orders, rejected), positions)
        await life.metrics_server(metrics)
        producer = Producer(kinesis, orders, max_pending_bytes=settings.max_open_bytes, metrics=metrics)
        dead_letters = Producer(kinesis, rejected, max_pending_bytes=_REJECTED_PENDING_BYTES)
        worker = FolderWorker(
            ours,
            DynamoDBPositions(dynamodb, positions, present_time),
            producer,
            RejectedSink(dead_letters, service=NAME),
            metrics,
        )
        life.ready()
        await worker.run(life.stopping)


async def _require(kinesis: Kinesis, dynamodb: DynamoDB, streams: Sequence[str], table: str) -> None:
    """Fails before ready when something is missing that only an operator can make."""
    retry = Retry(budget_s=_START_BUDGET_S)
    for stream in streams:
        if await retry.call(lambda stream=stream: kinesis.stream_status(stream)) is None:  # type: ignore[misc]
            raise MissingResource(f"stream {stream}")
    if await retry.call(lambda: dynamodb.table_status(table)) is None:
        raise MissingResource(f"table {table}")


async def _resume(settings: Settings, name: str, whole: bool) -> str:
    async with DynamoDB.open(
        settings.dynamodb_endpoint, settings.region, data_plane=settings.data_plane
    ) as dynamodb:
        table = physical_name(settings.namespace, "order_file_positions")
        return await resume(DynamoDBPositions(dynamodb, table, present_time), settings.source, name, whole)


def main(arguments: Sequence[str]) -> int:
    """Runs the operator's command; without one this module runs the service."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME}", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("resume", help="let a paused file go on")
    command.add_argument("name", help="the file's name, without its folder")
    command.add_argument("--whole", action="store_true", help="never pause this file again")
    options = parser.parse_args(arguments)
    logs.setup(NAME, stream=sys.stderr)
    try:
        told = asyncio.run(_resume(load(Settings), options.name, options.whole))
    except CadabraError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        misconfigured = isinstance(error, Misconfigured)
        return lifecycle.EXIT_MISCONFIGURED if misconfigured else lifecycle.EXIT_UNAVAILABLE
    sys.stdout.write(told + "\n")
    return 0 if told.startswith("resumed") else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(main(sys.argv[1:]))
    lifecycle.run(NAME, Settings, serve)
