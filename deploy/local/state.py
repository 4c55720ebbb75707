"""What a run says about itself: written by the supervisor at every change, read by `up`, `down` and `status`."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.layout import read_json, write_whole

STARTING, UP, STOPPING, DOWN, FAILED = "starting", "up", "stopping", "down", "failed"
WAITING, READY, RESTARTING, ENDED = "waiting", "ready", "restarting", "ended"


@dataclass(slots=True)
class Unit:
    """One engine, task or service.

    Args:
        kind: engine, task or service.
        state: waiting, starting, ready, restarting, stopping, ended (as it should) or failed.
        changed_at: Unix time of the last change of state, in seconds.
        started_at: Unix time at which the process was started, in seconds; None before.
        restarts: how often it was started again after it had ended by itself.
        exit_code: of the last end; negative for a signal.
    """

    name: str
    kind: str
    state: str = WAITING
    pid: int | None = None
    url: str | None = None
    metrics_url: str | None = None
    changed_at: float = 0.0
    started_at: float | None = None
    restarts: int = 0
    exit_code: int | None = None
    message: str = ""


@dataclass(slots=True)
class RunState:
    """One run: from `up` to `down`.

    Args:
        plan_file: what it runs.
        state: starting, up, stopping, down or failed.
        pid: of the supervisor.
        message: why it failed, or what a person should know.
    """

    run_id: str
    namespace: str
    plan_file: str
    pid: int = field(default_factory=os.getpid)
    state: str = STARTING
    message: str = ""
    started_at: float = field(default_factory=time.time)
    units: list[Unit] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Put the state down for others to read."""
        write_whole(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> RunState | None:
        """The state as it was last put down; None where there never was a run."""
        document: dict[str, Any] = read_json(path)
        if not document:
            return None
        units = [Unit(**unit) for unit in document.pop("units")]
        return cls(**document, units=units)
