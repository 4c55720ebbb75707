"""lake_writer's composition root: two consumer groups, one for each stream that it lands."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from contracts import catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.s3 import S3
from services.kernel.core.errors import MissingResource
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import bucket_name, lease_table, physical_name
from services.kernel.core.retry import Retry
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.producer import Producer
from services.kernel.streams.rejected import RejectedSink
from services.lake_writer import dead_letters, order_lines
from services.lake_writer.batching import Bounds
from services.lake_writer.landing import Landing, Place
from services.lake_writer.metrics import OrdersMetrics, RejectedMetrics
from services.lake_writer.rows import Format
from services.lake_writer.settings import Settings

SERVICE = "lake_writer"
ARCHIVE = "lake_writer-rejected"
_START_PATIENCE_S = 20.0
_SPARE_CONNECTIONS = 2


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Land both streams until asked to stop, then write what is open, checkpoint and hand the shards back."""
    orders_metrics, rejected_metrics = OrdersMetrics(), RejectedMetrics(process=False)
    await life.metrics_server(orders_metrics, rejected_metrics)
    connections = 2 * settings.writes_at_once + _SPARE_CONNECTIONS
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, data_plane=settings.data_plane
        ) as dynamodb,
        S3.open(settings.s3_endpoint, settings.region, connections) as s3,
    ):
        await _bucket_is_there(s3, bucket_name(settings.namespace))
        producer = Producer(kinesis, physical_name(settings.namespace, "rejected"))
        rejects = RejectedSink(producer, service=SERVICE)

        def group(
            application: str, stream: str, form: Format[Any], metrics: OrdersMetrics | RejectedMetrics
        ) -> ConsumerGroup:
            return ConsumerGroup(
                application=application,
                stream=physical_name(settings.namespace, stream),
                kinesis=kinesis,
                leases=LeaseTable(dynamodb, lease_table(settings.namespace, application)),
                processor=_landing(s3, stream, form, settings, metrics).processor,
                rejects=rejects,
                settings=settings,
                metrics=metrics,
                worker_id=f"{settings.instance}-{uuid.uuid4().hex[:12]}",
            )

        groups = [
            group(SERVICE, "orders", order_lines.FORMAT, orders_metrics),
            group(ARCHIVE, "rejected", dead_letters.FORMAT, rejected_metrics),
        ]
        await _run_all(groups, life)
        await producer.drain()


async def _run_all(groups: Sequence[ConsumerGroup], life: Lifecycle[Settings]) -> None:
    """Run the groups until asked to stop; where one fails the others drain before the process ends."""
    on_ready = _once_all(len(groups), life.ready)
    running = [asyncio.create_task(one.run(life.stopping, on_ready=on_ready)) for one in groups]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        life.stop("a consumer group has ended")
        await asyncio.wait(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for task in running:
        task.result()


def _landing(
    s3: S3, stream: str, form: Format[Any], settings: Settings, metrics: OrdersMetrics | RejectedMetrics
) -> Landing[Any]:
    prefix = catalog.load().landings[stream].prefix
    return Landing(
        s3,
        Place(bucket_name(settings.namespace), prefix),
        form,
        Bounds(settings.object_max_bytes, settings.object_max_rows, settings.object_max_age_s),
        settings.max_open_batch_bytes,
        settings.writes_at_once,
        metrics,
    )


async def _bucket_is_there(s3: S3, bucket: str) -> None:
    if not await Retry(budget_s=_START_PATIENCE_S).call(lambda: s3.bucket_exists(bucket)):
        raise MissingResource(f"there is no bucket {bucket}")


def _once_all(count: int, then: Callable[[], None]) -> Callable[[], None]:
    """What each of several calls once; the last call does it."""
    left = count

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            then()

    return one


if __name__ == "__main__":
    run(SERVICE, Settings, serve)
