"""The indexer's composition root, and its two commands: `maintain [--every SECONDS]` and `saved-objects`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured
from services.kernel.core.lifecycle import EXIT_MISCONFIGURED, Lifecycle, run
from services.kernel.core.names import lease_table, physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.settings import ServiceSettings, load
from services.kernel.streams.batch_processor import per_batch
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.producer import Producer
from services.kernel.streams.rejected import RejectedSink
from services.log_indexer import log_dashboard, saved_objects
from services.log_indexer.bulk_indexer import BulkIndexer
from services.log_indexer.index_days import IndexDays
from services.log_indexer.maintenance import Maintenance
from services.log_indexer.metrics import IndexerMetrics, MaintenanceMetrics
from services.log_indexer.preparation import LOGICAL_NAME, prepare, template
from services.log_indexer.settings import MaintainSettings, Settings

APPLICATION = "log_indexer"
_SPARE_CONNECTIONS = 2  # so that no index waits for a bulk request
_CONNECTIONS = 16  # of DynamoDB: leases and heartbeats

T = TypeVar("T")

log = logs.get(APPLICATION)


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Index entries until asked to stop, then drain, checkpoint and hand the shards back."""
    metrics = IndexerMetrics()
    await life.metrics_server(metrics)
    stream = physical_name(settings.namespace, LOGICAL_NAME)
    days = settings.index_days(stream)
    connections = settings.bulk_concurrency + _SPARE_CONNECTIONS
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, _CONNECTIONS, data_plane=settings.data_plane
        ) as dynamodb,
        OpenSearch.open(
            settings.opensearch_endpoint, settings.region, max_connections=connections
        ) as opensearch,
    ):
        if not await _prepared(life.stopping, opensearch, days):
            return
        producer = Producer(kinesis, physical_name(settings.namespace, "rejected"))
        group = ConsumerGroup(
            application=APPLICATION,
            stream=stream,
            kinesis=kinesis,
            leases=LeaseTable(dynamodb, lease_table(settings.namespace, APPLICATION)),
            processor=per_batch(
                BulkIndexer(opensearch, days, metrics, settings.bulk_timeout_s).index,
                max_records=settings.bulk_documents,
                max_bytes=settings.bulk_bytes,
                linger_s=settings.bulk_linger_s,
                concurrency=settings.bulk_concurrency,
            ),
            rejects=RejectedSink(producer, service=APPLICATION),
            settings=settings,
            metrics=metrics,
            worker_id=f"{settings.instance}-{uuid.uuid4().hex[:12]}",
        )
        await group.run(life.stopping, on_ready=life.ready)
        await producer.drain()


async def _prepared(stopping: asyncio.Event, opensearch: OpenSearch, days: IndexDays) -> bool:
    """Prepare OpenSearch, for as long as it takes to come up; False when asked to stop meanwhile."""

    async def preparing() -> bool:
        await Retry().call(
            lambda: prepare(opensearch, days, datetime.now(UTC).date()),
            lambda error, _attempt, _delay_s: log.warning("opensearch_not_ready", error=error),
        )
        return True

    return bool(await _unless(stopping, preparing()))


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Do what may be cut short anywhere; None when asked to stop before its end."""
    task = asyncio.create_task(work)
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        stop.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)


async def maintain(
    every_s: float | None, life: Lifecycle[MaintainSettings], settings: MaintainSettings
) -> None:
    """Maintain the indices once, or again and again until asked to stop; a run that fails is repeated sooner.

    Raises:
        CadabraError: the only run failed in this step; the others were done.
    """
    metrics = MaintenanceMetrics()
    if every_s is not None:
        await life.metrics_server(metrics)
    days = settings.index_days(physical_name(settings.namespace, LOGICAL_NAME))
    retry, failures = Retry(), 0
    async with OpenSearch.open(settings.opensearch_endpoint, settings.region) as opensearch:
        maintenance = Maintenance(opensearch, days)
        while not life.stopping.is_set():
            report = await _unless(life.stopping, maintenance.run())
            if report is None:
                return
            metrics.tell(report)
            log.info("maintained", **report.facts())
            if every_s is None:
                if report.failed:
                    raise report.failed[0]
                return
            failures = failures + 1 if report.failed else 0
            if not failures and life.health is not None and not life.health.ready:
                life.ready()
            await _pause(life.stopping, min(every_s, retry.delay_s(failures)) if failures else every_s)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def _saved_objects() -> str:
    try:
        family = physical_name(load(ServiceSettings).namespace, LOGICAL_NAME)
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_MISCONFIGURED)
    return saved_objects.ndjson(
        family,
        template()["template"]["mappings"],
        log_dashboard.SEARCHES,
        log_dashboard.VISUALISATIONS,
        log_dashboard.DASHBOARD,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the service, or one of its commands."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{APPLICATION}", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    maintaining = commands.add_parser(
        "maintain", help="create, delete and merge daily indices; once, or for ever"
    )
    maintaining.add_argument("--every", type=float, metavar="SECONDS", help="stay, and do it so often")
    commands.add_parser("saved-objects", help="print saved objects for OpenSearch Dashboards as NDJSON")
    options = parser.parse_args(arguments)
    if options.command == "saved-objects":
        sys.stdout.write(_saved_objects())
    elif options.command == "maintain":
        if options.every is not None and options.every <= 0:
            parser.error("--every takes seconds above 0")
        run(f"{APPLICATION}_maintenance", MaintainSettings, partial(maintain, options.every))
    else:
        run(APPLICATION, Settings, serve)


if __name__ == "__main__":
    main()
