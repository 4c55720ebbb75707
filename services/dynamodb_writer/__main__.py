"""The writer's composition root."""

from __future__ import annotations

import uuid

from services.dynamodb_writer.metrics import WriterMetrics
from services.dynamodb_writer.order_store import OrderStore
from services.dynamodb_writer.settings import Settings
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import lease_table, physical_name
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.rejected import RejectedSink

APPLICATION = "dynamodb_writer"
_SPARE_CONNECTIONS = 16  # leases, heartbeats and conflict queries, so that no heartbeat waits for a PutItem


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Write orders until asked to stop, then drain, checkpoint and hand the shards back."""
    metrics = WriterMetrics()
    await life.metrics_server(metrics)
    orders = physical_name(settings.namespace, "orders")
    rejected = physical_name(settings.namespace, "rejected")
    history = physical_name(settings.namespace, "order_history")
    connections = settings.concurrency + _SPARE_CONNECTIONS
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, connections, data_plane=settings.data_plane
        ) as dynamodb,
    ):
        producer = Producer(kinesis, rejected)
        rejects = RejectedSink(producer, service=APPLICATION)
        store = OrderStore(
            dynamodb, history, rejects, orders, metrics, settings.concurrency, settings.inserts_per_call
        )
        group = ConsumerGroup(
            application=APPLICATION,
            stream=orders,
            kinesis=kinesis,
            leases=LeaseTable(dynamodb, lease_table(settings.namespace, APPLICATION)),
            processor=per_record(store.write, concurrency=settings.concurrency),
            rejects=rejects,
            settings=settings,
            metrics=metrics,
            worker_id=f"{settings.instance}-{uuid.uuid4().hex[:12]}",
        )
        await group.run(life.stopping, on_ready=life.ready)
        await producer.drain()


if __name__ == "__main__":
    run(APPLICATION, Settings, serve)
