"""A service that lives and dies as it is told, run as a process by test_lifecycle.py."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from services.kernel.core import lifecycle
from services.kernel.core.errors import Misconfigured, MissingResource, Unavailable
from services.kernel.core.lifecycle import Lifecycle
from services.kernel.core.metrics import Metrics
from services.kernel.core.settings import ServiceSettings, setting

SECRET = "4111-1111-1111-1111"


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    behaviour: str = setting("CADABRA_BEHAVIOUR", default="drain", help="how it lives")


class ServiceMetrics(Metrics):
    service = "lifecycle_service"


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    errors: dict[str, Exception] = {
        "misconfigured": Misconfigured("one problem\nanother problem"),
        "missing": MissingResource("stream orders: no such stream"),
        "away": Unavailable("orders: EndpointConnectionError"),
        "bug": ValueError(SECRET),
        "group": ExceptionGroup("tasks", [Unavailable("away"), MissingResource("gone")]),
        "group with a bug": ExceptionGroup("tasks", [Unavailable("away"), ValueError(SECRET)]),
    }
    if settings.behaviour in errors:
        raise errors[settings.behaviour]
    await life.metrics_server(ServiceMetrics())
    if settings.behaviour == "forgotten task":
        task = asyncio.ensure_future(_fail())
        await asyncio.sleep(0)
        del task
    life.ready(port=1)
    if settings.behaviour == "done":
        return
    await life.stopping.wait()
    if settings.behaviour == "slow":
        await asyncio.sleep(60)
    if settings.behaviour == "stuck":
        time.sleep(60)  # noqa: ASYNC251 - a loop that is stuck is the point
    if settings.behaviour == "fails while draining":
        raise ValueError(SECRET)


async def _fail() -> None:
    raise ValueError(SECRET)


if __name__ == "__main__":
    lifecycle.run("lifecycle_service", Settings, serve)
