"""What runs on one machine, as data: engines, tasks that run once, services. Standard library only."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLATFORM = Path(__file__).parent / "platform.toml"


@dataclass(frozen=True, slots=True)
class Task:
    """A module that runs to its end before the services start."""

    name: str
    module: str


@dataclass(frozen=True, slots=True)
class Service:
    """A module that runs until it is told to stop.

    Args:
        after: names of services that must be ready before this one starts.
        arguments: of the module.
        ready_timeout_s: how long it may take until it is ready.
        api: whether it serves people or other programs, so that its address is told.
        rate: names of counters of /metrics; their growth per second is its rate in `status`.
        lag: name of the gauge of /metrics that is its lag in `status`, "" without one.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    ready_timeout_s: float = 60.0
    after: tuple[str, ...] = ()
    api: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    rate: tuple[str, ...] = ()
    lag: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one supervisor starts."""

    engines: tuple[str, ...]
    environment: dict[str, str]
    tasks: tuple[Task, ...]
    services: tuple[Service, ...]

    def waves(self) -> list[list[Service]]:
        """The services in groups: each group needs only what is in the groups before it.

        Raises:
            ValueError: services wait for each other in a circle, or for one that does not exist.
        """
        left, waves, done = list(self.services), [], set[str]()
        while left:
            wave = [service for service in left if done.issuperset(service.after)]
            if not wave:
                raise ValueError(f"cannot be ordered: {', '.join(service.name for service in left)}")
            waves.append(wave)
            done |= {service.name for service in wave}
            left = [service for service in left if service.name not in done]
        return waves


def read(path: Path = PLATFORM) -> Plan:
    """The plan in this file.

    Raises:
        TypeError: a row has a field that is not known.
        ValueError: the services cannot be ordered.
    """
    document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    plan = Plan(
        engines=tuple(document.get("engines", ())),
        environment=document.get("environment", {}),
        tasks=tuple(Task(**row) for row in document.get("tasks", ())),
        services=tuple(_service(row) for row in document.get("services", ())),
    )
    plan.waves()
    return plan


def _service(row: dict[str, Any]) -> Service:
    lists: dict[str, Any] = {name: tuple(row[name]) for name in ("after", "arguments", "rate") if name in row}
    return Service(**{**row, **lists})
