"""Composition root of order_ingest: the only place where its parts meet."""

from __future__ import annotations

import asyncio
import gc

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import lifecycle
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.lifecycle import Lifecycle
from services.kernel.core.names import physical_name
from services.kernel.core.tokens import Verifier
from services.kernel.streams.producer import Producer
from services.order_ingest.app import OrderApi
from services.order_ingest.body import Pace
from services.order_ingest.connections import ConnectionServer, Patience
from services.order_ingest.intake import Intake
from services.order_ingest.limits import MemoryBudget, SenderLimits
from services.order_ingest.metrics import IngestMetrics
from services.order_ingest.settings import Settings

PUT_BYTES = 1024 * 1024
_PENDING_OVER_BUDGET = 2  # the producer counts 1 KiB a record on top, and is never the first to refuse

# Requests leave next to no cycles behind, so that looking for them after every 700 objects is a tenth of the work.
GC_THRESHOLD = 20_000
_DRAIN_SHARE = 0.6  # of the stop timeout: a body that still comes slowly then is cut off, unacknowledged


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Take orders until asked to stop, then answer what is under way."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set (public keys that tokens are checked by)")
    verifier = Verifier(settings.jwks_file)
    metrics = IngestMetrics()
    await life.metrics_server(metrics)
    stream = physical_name(settings.namespace, "orders")
    async with Kinesis.open(
        settings.kinesis_endpoint,
        settings.region,
        max_connections=settings.put_concurrency,
        data_plane=settings.data_plane,
    ) as kinesis:
        if await kinesis.stream_status(stream) is None:
            raise MissingResource(f"there is no stream {stream}")
        producer = Producer(
            kinesis,
            stream,
            max_bytes=PUT_BYTES,
            linger_s=settings.put_linger_s,
            max_pending_bytes=_PENDING_OVER_BUDGET * settings.max_in_flight_bytes,
            in_flight=settings.put_concurrency,
            put_timeout_s=settings.put_timeout_s,
            metrics=metrics,
        )
        api = OrderApi(
            verifier=verifier,
            intake=Intake(producer, metrics),
            budget=MemoryBudget(settings.max_in_flight_bytes),
            senders=SenderLimits(settings.sender_orders_per_s, settings.sender_bytes_per_s),
            pace=Pace(settings.body_grace_s, settings.body_min_bytes_per_s, settings.batch_idle_s),
            window_orders=settings.batch_window_orders,
            metrics=metrics,
        )
        await _listen(life, settings, api, metrics)
        await producer.drain()


async def _listen(
    life: Lifecycle[Settings], settings: Settings, api: OrderApi, metrics: IngestMetrics
) -> None:
    server = ConnectionServer(
        api.handle,
        Patience(
            head_timeout_s=settings.head_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
            write_timeout_s=settings.write_timeout_s,
            max_connections=settings.max_connections,
        ),
        metrics,
    )
    try:
        listener = await asyncio.get_running_loop().create_server(
            server, settings.host, settings.port, backlog=1024
        )
    except OSError as error:
        raise Misconfigured(
            f"CADABRA_PORT: cannot listen on {settings.host}:{settings.port}: {error}"
        ) from error
    sweep = asyncio.create_task(server.sweep())
    gc.set_threshold(GC_THRESHOLD)
    life.ready(port=listener.sockets[0].getsockname()[1])
    await life.stopping.wait()
    listener.close()
    api.drain()
    await server.drain(_DRAIN_SHARE * settings.stop_timeout_s)
    sweep.cancel()


if __name__ == "__main__":
    lifecycle.run("order_ingest", Settings, serve)
