"""The service as it is put together: files, encoder, stream, metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from contracts.scalars import timestamp
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.lifecycle import Lifecycle
from services.kernel.core.names import physical_name
from services.kernel.core.retry import Retry
from services.kernel.streams.producer import Producer
from services.kernel.tail.followed_files import FollowedFiles
from services.kernel.tail.limits import TailLimits
from services.kernel.tail.state_file import StateFile, StateLock
from services.log_shipper.enrichment import enrichment
from services.log_shipper.entry import LineEncoder
from services.log_shipper.index_day import Backfill
from services.log_shipper.log_format import compile_format
from services.log_shipper.metrics import ShipperMetrics
from services.log_shipper.settings import Settings
from services.log_shipper.shipper import Pace, Shipper

_LOCK_RETRY_S = 0.5
# The shipper bounds what is open; the producer holds that and its overhead, so that it never refuses.
_PRODUCER_FACTOR = 2
# A stream that is slow gets few calls at a time and time to answer them: what is put again too soon only adds to its
# work, and nobody waits here who would rather give up.
_CALLS_IN_FLIGHT = 4
_CALL_BYTES = 1024 * 1024
_ANSWER_TIMEOUT_S = 30.0
_PUT_TIMEOUT_S = 120.0

log = logs.get("main")
T = TypeVar("T")


def present_time() -> str:
    """The present time as contracts write it."""
    return timestamp(datetime.now(UTC))


def listed(text: str) -> list[str]:
    """The parts of a list that is written with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def line_encoder(settings: Settings) -> LineEncoder:
    """Makes what reads the lines.

    Raises:
        Misconfigured: the format, the host's name, an enrichment or the days of the back-fill are wrong.
    """
    return LineEncoder(
        compile_format(settings.log_format),
        settings.host_name,
        enrichment=enrichment(
            listed(settings.enrich), anonymise=settings.anonymise, geoip_file=settings.geoip_file
        ),
        backfill=_backfill(settings),
    )


def tail_limits(settings: Settings) -> TailLimits:
    """Says in the tail's words what the settings ask for.

    Raises:
        Misconfigured: a pattern is not absolute, or there is none.
    """
    globs = listed(settings.globs)
    wrong = [one for one in globs if not Path(one).is_absolute()]
    if wrong or not globs:
        raise Misconfigured(f"CADABRA_LOG_GLOBS: not absolute: {', '.join(wrong) or 'nothing is given'}")
    return TailLimits(
        globs=globs,
        max_files=settings.max_files,
        max_open_files=settings.max_open_files,
        max_line_bytes=settings.max_line_bytes,
        rotated_quiet_s=settings.rotated_quiet_s,
        copy_grace_s=settings.copy_grace_s,
    )


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Ships the logs until the service is asked to stop."""
    encoder, limits = line_encoder(settings), tail_limits(settings)
    metrics = ShipperMetrics()
    metrics.files_limit.set(limits.max_files)
    lock = StateLock(settings.state_folder)
    await life.metrics_server(metrics)
    try:
        if not await _locked(lock, life.stopping):
            return
        files = FollowedFiles(limits, StateFile(settings.state_folder))
        files.load()
        await _serve(life, settings, files, encoder, metrics)
    finally:
        lock.release()


async def _serve(
    life: Lifecycle[Settings],
    settings: Settings,
    files: FollowedFiles,
    encoder: LineEncoder,
    metrics: ShipperMetrics,
) -> None:
    stream = physical_name(settings.namespace, "access-logs")
    async with Kinesis.open(
        settings.kinesis_endpoint,
        settings.region,
        read_timeout_s=_ANSWER_TIMEOUT_S,
        data_plane=settings.data_plane,
    ) as kinesis:
        status = await _unless_stopped(Retry().call(lambda: kinesis.stream_status(stream)), life.stopping)
        if life.stopping.is_set():
            return
        if status is None:
            raise MissingResource(f"stream {stream}")
        pending = _PRODUCER_FACTOR * settings.max_open_bytes
        producer = Producer(
            kinesis,
            stream,
            max_bytes=_CALL_BYTES,
            max_pending_bytes=pending,
            in_flight=_CALLS_IN_FLIGHT,
            put_timeout_s=_PUT_TIMEOUT_S,
            metrics=metrics,
        )
        pace = Pace(settings.poll_interval_s, settings.max_open_bytes, settings.stop_timeout_s / 2)
        shipper = Shipper(files, encoder, producer, metrics, pace, clock=time.monotonic, now=present_time)
        life.ready()
        await shipper.run(life.stopping)


async def _locked(lock: StateLock, stopping: asyncio.Event) -> bool:
    """Waits until no other shipper has the positions; False when asked to stop before."""
    told = False
    while not lock.acquire():
        if not told:
            log.warning("waiting_for_lock", reason="another log_shipper uses this CADABRA_STATE_FOLDER")
            told = True
        await _unless_stopped(asyncio.sleep(_LOCK_RETRY_S), stopping)
        if stopping.is_set():
            return False
    return True


async def _unless_stopped(work: Awaitable[T], stopping: asyncio.Event) -> T | None:
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stop.cancel()
        task.cancel()


def _backfill(settings: Settings) -> Backfill | None:
    days = (settings.backfill_from, settings.backfill_to)
    if days == (None, None):
        return None
    try:
        first, last = (date.fromisoformat(day) for day in days if day is not None)
    except ValueError as error:
        raise Misconfigured(
            f"CADABRA_BACKFILL_FROM, CADABRA_BACKFILL_TO: both or none, as days: {error}"
        ) from error
    return Backfill(first, last)
