"""The daily work on the indices: the next ones made, those past retention deleted, those that are over merged.

Each step looks at what stands and does what is missing. So a run may be repeated, be cut short anywhere, or meet
another at the same moment, and the next one finds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol, TypeVar

from services.kernel.adapters.opensearch import IndexInfo, MissingIndex
from services.kernel.core import logs
from services.kernel.core.errors import CadabraError, TimedOut
from services.log_indexer.index_days import IndexDays
from services.log_indexer.preparation import Prepares, prepare

T = TypeVar("T")
SEGMENTS = 1
"""Of each shard of an index that is over."""

log = logs.get("maintenance")


class Engine(Prepares, Protocol):
    """What the maintenance needs of OpenSearch."""

    async def create_index(self, name: str) -> bool:
        """Create an index by its template; False when it was there."""

    async def delete_index(self, name: str) -> bool:
        """Delete an index; False when there was none."""

    async def force_merge(self, index: str, max_segments: int = 1) -> None:
        """Merge each shard of an index into few segments."""


@dataclass
class Report:
    """What one run did.

    Args:
        created, deleted, merged: names of indices.
        failed: what could not be done, and why; the next run tries again.
        indices: how many stand after it.
    """

    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    failed: list[CadabraError] = field(default_factory=list)
    indices: int = 0

    def facts(self) -> dict[str, object]:
        """All of it, as fields of a log line."""
        failed = [f"{type(error).__name__}: {error}" for error in self.failed]
        return {
            "created": self.created,
            "deleted": self.deleted,
            "merged": self.merged,
            "failed": failed,
            "indices": self.indices,
        }


class Maintenance:
    """Keeps the indices of one family.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, engine: Engine, days: IndexDays, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._days = days
        self._clock = clock

    async def run(self) -> Report:
        """Do what is to be done; a step that fails holds no other one up.

        Returns:
            What was done, and what was not.
        """
        report = Report()
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        if await self._try(report, self._prepared(today)):
            for coming in self._days.coming(today):
                await self._create(report, self._days.name(coming))
        found = await self._try(report, self._engine.indices(self._days.pattern)) or []
        ours = [(info, day) for info in found if (day := self._days.day_of(info.name)) is not None]
        for info, day in ours:
            if self._days.expired(day, today):
                await self._delete(report, info.name)
        report.indices = len(ours) - len(report.deleted)
        await self._merge(report, ours, today)
        return report

    async def _prepared(self, today: date) -> bool:
        await prepare(self._engine, self._days, today)
        return True

    async def _create(self, report: Report, name: str) -> None:
        if await self._try(report, self._engine.create_index(name)):
            report.created.append(name)

    async def _delete(self, report: Report, name: str) -> None:
        if await self._try(report, self._engine.delete_index(name)):
            report.deleted.append(name)

    async def _merge(self, report: Report, ours: Sequence[tuple[IndexInfo, date]], today: date) -> None:
        for info, day in ours:
            over = self._days.over(day, today) and not self._days.expired(day, today)
            if (
                over
                and info.segments > SEGMENTS * info.shards
                and await self._try(report, self._merged(info.name))
            ):
                report.merged.append(info.name)

    async def _merged(self, name: str) -> bool:
        try:
            await self._engine.force_merge(name, SEGMENTS)
        except TimedOut:
            log.info("merge_goes_on", index=name)  # OpenSearch finishes it without us
        except MissingIndex:
            return False  # another run deleted it meanwhile
        return True

    async def _try(self, report: Report, step: Awaitable[T]) -> T | None:
        try:
            return await step
        except CadabraError as error:
            log.warning("step_failed", error=error)
            report.failed.append(error)
            return None
