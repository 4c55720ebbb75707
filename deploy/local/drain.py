"""Waits until everything that was sent is in the order store, or in the lake's landing, by what the services say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local import probe
from deploy.local.layout import read_json
from deploy.local.target import Target

LOOK_EVERY_S = 0.25
LAG_OF_ONE_POLL_S = 1.0
PATIENCE_S = 60.0
"""How long nothing may move, before it is called stuck."""
QUIET_S = 1.0
"""How long nothing may be left and nothing move once all orders are there: some have further parts."""
SETTLED_S = 5.0
"""How long nothing may be left and nothing move, where the count cannot be met: a writer that was started again
counts from 0. The comparison that follows says what is missing, if anything is."""


class Stuck(RuntimeError):
    """The platform stopped to make progress before it was done; the message has the figures."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the file ingest and the writer say at one moment.

    Args:
        file_lag_bytes: bytes in order files that are not durably in the stream.
        lag_s: the writer's largest lag over all shards.
        oldest_open_s: age of the oldest record that the writer has fetched and not done.
        first_parts: orders that the writer stored first; it counts from its own start.
        handled: records whose effect is durable; it counts from the writer's start.
    """

    file_lag_bytes: float
    lag_s: float
    oldest_open_s: float
    first_parts: float
    handled: float

    @property
    def done(self) -> tuple[float, float, float]:
        """What changes as long as work gets done; lag also changes while none is."""
        return self.file_lag_bytes, self.first_parts, self.handled

    @property
    def nothing_left(self) -> bool:
        """Whether no service knows of work."""
        return not (self.file_lag_bytes or self.oldest_open_s) and self.lag_s < LAG_OF_ONE_POLL_S


def look(target: Target) -> Progress | None:
    """Asks the file ingest and the order store's writer; None while one of them is being started."""
    return _look(target, "dynamodb_writer", "inserted_first_parts_total")


def look_at_lake(target: Target) -> Progress | None:
    """Asks the file ingest and the lake's writer; None while one of them is being started.

    The lake's writer knows records and no orders: for it `first_parts` are records.
    """
    return _look(target, "lake_writer", "records_handled_total")


def _look(target: Target, writer: str, counted: str) -> Progress | None:
    services = read_json(target.layout.endpoints_file).get("services", {})
    found: dict[str, float] = {}
    for name in ("order_file_ingest", writer):
        text = probe.get(f"{services.get(name, {}).get('metrics_url', '')}/metrics")
        if text is None:
            return None
        found |= probe.samples(text)
    prefix = f"cadabra_{writer}"
    return Progress(
        file_lag_bytes=found["cadabra_order_file_ingest_lag_bytes"],
        lag_s=found[f"{prefix}_lag_seconds"],
        oldest_open_s=found[f"{prefix}_oldest_open_seconds"],
        first_parts=found[f"{prefix}_{counted}"],
        handled=found[f"{prefix}_records_handled_total"],
    )


async def until_drained(
    target: Target,
    orders: int,
    patience_s: float = PATIENCE_S,
    look_at: Callable[[Target], Progress | None] = look,
) -> float:
    """Waits until the writer has stored this many orders since the table was new, and nothing is left to do.

    Args:
        orders: distinct orders that were acknowledged or are durable in files.

    Returns:
        How long it took, in seconds; until the last look at which anything had changed.

    Raises:
        Stuck: nothing moved for `patience_s`.
    """
    started = moved = time.monotonic()
    before: Progress | None = None
    while True:
        now = await asyncio.to_thread(look_at, target)
        at = time.monotonic()
        if now is not None and (before is None or now.done != before.done):
            moved, before = at, now
        elif now is not None and now.nothing_left and at - moved > _rest_s(now, orders):
            return moved - started
        if at - moved > patience_s:
            raise Stuck(
                f"nothing moved for {patience_s:.0f} s: {orders:,} orders were sent, the services say {now}"
            )
        await asyncio.sleep(LOOK_EVERY_S)


def _rest_s(now: Progress, orders: int) -> float:
    return QUIET_S if now.first_parts >= orders else SETTLED_S
