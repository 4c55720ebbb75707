"""Which version is in service: read at most every so often, by one read for all, and kept when it cannot be read."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.recommendations import Recommendations
from contracts.scalars import is_timestamp
from services.kernel.core import logs
from services.kernel.core.errors import Retryable, Unavailable
from services.storefront.metrics import StorefrontMetrics

SUBJECT = "current"
"""The item that names the version in service, hash and range key alike."""

log = logs.get("pointer")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the item says.

    Args:
        version: the one in service.
        trained_until: RFC 3339 with milliseconds, exclusive: orders before it are known to the version.
    """

    version: str
    trained_until: str


@dataclass(frozen=True, slots=True)
class InService:
    """A version that is or was in service, with everybody's list, so that an answer of it can always be given."""

    version: str
    trained_until: str
    everywhere: Recommendations


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the version in service.

    Args:
        service: None where there never was one.
        certain: whether it was read within the pointer's age; else it is the last one that is known.
    """

    service: InService | None
    certain: bool


def pointer(item: dict[str, Any] | None) -> Pointer | None:
    """Read the item; None where there is none.

    Raises:
        Unavailable: it is not what a publisher writes.
    """
    if item is None:
        return None
    version = item.get("serving", {}).get("S")
    trained_until = item.get("trained_until", {}).get("S")
    if not version or not isinstance(trained_until, str) or not is_timestamp(trained_until):
        raise Unavailable("the pointer names no version, or not what it was trained on")
    return Pointer(version, trained_until)


class PointerReader:
    """Knows the version in service.

    Args:
        read: reads the pointer; raises Retryable.
        everywhere: reads everybody's list of a version; raises Retryable.
        max_age_s: seconds for which a look counts, one that failed too.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Pointer | None]],
        everywhere: Callable[[str], Awaitable[Recommendations]],
        max_age_s: float,
        metrics: StorefrontMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._everywhere = everywhere
        self._max_age_s = max_age_s
        self._metrics = metrics
        self._clock = clock
        self._known = Known(None, certain=False)
        self._looked_at = -math.inf
        self._read_at = -math.inf
        self._look: asyncio.Task[Known] | None = None
        metrics.pointer_age_s.set_function(lambda: self._clock() - self._read_at)

    async def current(self) -> Known:
        """The version in service, looked at again where the last look is too old."""
        if self._clock() - self._looked_at < self._max_age_s:
            return self._known
        return await self._one_look()

    async def again(self) -> Known:
        """The version in service as a look finds it that begins after this call; one look serves all who wait."""
        if self._look is not None and not self._look.done():
            await asyncio.shield(self._look)
        return await self._one_look()

    async def _one_look(self) -> Known:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._looked())
        # A caller that goes away must not take the look of the others with it.
        return await asyncio.shield(self._look)

    async def _looked(self) -> Known:
        try:
            service = await self._found()
            self._read_at = self._clock()
            self._known = Known(service, certain=True)
        except Retryable:
            self._known = Known(self._known.service, certain=False)
        self._looked_at = self._clock()
        return self._known

    async def _found(self) -> InService | None:
        before = self._known.service
        now = await self._read()
        if now is None:
            if before is not None:
                raise Unavailable("the pointer is gone")
            return None
        if before is not None and (now.version, now.trained_until) == (before.version, before.trained_until):
            return before
        # Taken over only together with its list for everybody: whatever goes away next, there is an answer.
        service = InService(now.version, now.trained_until, await self._everywhere(now.version))
        self._metrics.flips.inc()
        self._metrics.trained_until_s.set(datetime.fromisoformat(now.trained_until).timestamp())
        log.info("version in service", version=now.version, trained_until=now.trained_until)
        return service
