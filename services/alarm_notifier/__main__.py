"""The notifier's composition root."""

from __future__ import annotations

import asyncio
import uuid

from services.alarm_notifier.api import Api
from services.alarm_notifier.delivery import Delivery
from services.alarm_notifier.delivery_lease import DeliveryLease
from services.alarm_notifier.handler import AlarmHandler
from services.alarm_notifier.incident import Timing
from services.alarm_notifier.ledger import Ledger
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.operations import Operations
from services.alarm_notifier.rendering import Rendered
from services.alarm_notifier.settings import Settings
from services.alarm_notifier.store import AlarmStore, Tables
from services.alarm_notifier.watch import Patience, Watch
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.sns import Sns
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.http_api import listening
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import lease_table, physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.tokens import Verifier
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.rejected import RejectedSink

APPLICATION = "alarm_notifier"
STREAM = TOPIC = "order-rate-alarms"
_CONCURRENCY = 8
_CONNECTIONS = 64
_START_BUDGET_S = 20.0


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Tell people, and answer operators, until asked to stop; then drain and hand everything back."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set")
    metrics = NotifierMetrics()
    await life.metrics_server(metrics)
    verifier = Verifier(settings.jwks_file)
    worker_id = f"{settings.instance}-{uuid.uuid4().hex[:12]}"
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, _CONNECTIONS, data_plane=settings.data_plane
        ) as dynamodb,
        Sns.open(settings.sns_endpoint, settings.region) as sns,
    ):
        topic_arn = await _topic(sns, settings)
        store = AlarmStore(dynamodb, Tables.of(settings.namespace))
        delivery = _delivery(settings, dynamodb, store, sns, topic_arn, metrics, worker_id)
        producer = Producer(kinesis, physical_name(settings.namespace, "rejected"))
        group = _group(settings, kinesis, dynamodb, store, delivery, producer, metrics, worker_id)
        operations = Operations(store, delivery.wake)
        api = Api(operations, verifier, metrics, settings)
        async with listening(api.application(), settings) as port, asyncio.TaskGroup() as tasks:
            tasks.create_task(group.run(life.stopping, on_ready=lambda: life.ready(port=port)))
            tasks.create_task(delivery.run(life.stopping))
        await producer.drain()


async def _topic(sns: Sns, settings: Settings) -> str:
    """The topic that messages go to; it must exist before anything is taken on."""
    retry = Retry(budget_s=_START_BUDGET_S)
    given = settings.topic_arn
    if given is not None:
        if not await retry.call(lambda: sns.topic_exists(given)):
            raise MissingResource(f"there is no topic {given}")
        return given
    name = physical_name(settings.namespace, TOPIC)
    found = await retry.call(lambda: sns.topic_arn(name))
    if found is None:
        raise MissingResource(f"there is no topic {name}")
    return found


def _delivery(
    settings: Settings,
    dynamodb: DynamoDB,
    store: AlarmStore,
    sns: Sns,
    topic_arn: str,
    metrics: NotifierMetrics,
    worker_id: str,
) -> Delivery:
    async def publish(rendered: Rendered) -> str:
        return await sns.publish(topic_arn, rendered.subject, rendered.texts, rendered.attributes)

    table = Tables.of(settings.namespace).messages
    empty = Ledger(cap=settings.max_sms_per_hour, digest_every_ms=int(settings.digest_s * 1000))
    lease = DeliveryLease(dynamodb, table, worker_id, settings.delivery_lease_s, empty)
    patience = Patience(int(settings.reminder_s * 1000), int(settings.deadman_s * 1000))
    return Delivery(
        store,
        lease,
        Watch(store, lease, patience, metrics),
        publish,
        metrics,
        settings.delivery_lease_s,
        settings.console_url or "",
        Retry(base_s=0.25, cap_s=settings.max_backoff_s),
    )


def _group(
    settings: Settings,
    kinesis: Kinesis,
    dynamodb: DynamoDB,
    store: AlarmStore,
    delivery: Delivery,
    producer: Producer,
    metrics: NotifierMetrics,
    worker_id: str,
) -> ConsumerGroup:
    timing = Timing(int(settings.max_alarm_age_s * 1000), int(settings.group_wait_s * 1000))
    handler = AlarmHandler(store, timing, metrics, delivery.wake)
    return ConsumerGroup(
        application=APPLICATION,
        stream=physical_name(settings.namespace, STREAM),
        kinesis=kinesis,
        leases=LeaseTable(dynamodb, lease_table(settings.namespace, APPLICATION)),
        processor=per_record(handler.handle, concurrency=_CONCURRENCY),
        rejects=RejectedSink(producer, service=APPLICATION),
        settings=settings,
        metrics=metrics,
        worker_id=worker_id,
    )


if __name__ == "__main__":
    run(APPLICATION, Settings, serve)
