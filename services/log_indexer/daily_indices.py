"""Creates an index when its first entry finds none: once, however many batches miss it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured, Refused, Retryable, Unavailable
from services.log_indexer.metrics import IndexerMetrics

log = logs.get("daily_indices")


class CreatesIndices(Protocol):
    """What creating an index needs of OpenSearch."""

    async def create_index(self, name: str) -> bool:
        """Create an index by its template; False when it was there."""


class DailyIndices:
    """Creates what it is asked for; who asks says which days are allowed."""

    def __init__(self, engine: CreatesIndices, metrics: IndexerMetrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._creating: dict[str, asyncio.Task[None]] = {}

    async def create(self, names: Iterable[str]) -> dict[str, Retryable]:
        """Create indices that are missing; those that another worker was quicker with are fine too.

        Returns:
            Why an index could not be created, by its name; nothing for the others.
        """
        wanted = {name: self._task(name) for name in names}
        # Shielded: a batch that loses its lease takes nothing away from the others that wait.
        await asyncio.shield(asyncio.gather(*wanted.values(), return_exceptions=True))
        failed: dict[str, Retryable] = {}
        for name, task in wanted.items():
            try:
                task.result()
            except Retryable as error:
                failed[name] = error
        return failed

    def _task(self, name: str) -> asyncio.Task[None]:
        task = self._creating.get(name)
        if task is None:
            task = self._creating[name] = asyncio.create_task(self._create(name))
            task.add_done_callback(lambda _: self._creating.pop(name))
        return task

    async def _create(self, name: str) -> None:
        try:
            created = await self._engine.create_index(name)
        except (Misconfigured, Refused) as error:
            # Such as a cluster that holds as many shards as it may: no fault of the entries, which wait for it.
            log.error("index_not_created", error=error, index=name)
            raise Unavailable(f"create_index {name}: {error}") from error
        if created:
            self._metrics.indices_created.inc()
            log.info("index_created", index=name)
