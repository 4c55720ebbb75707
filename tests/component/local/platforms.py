"""One platform in a folder of its own, handled as its users do: by its commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local import plan, processes
from deploy.local.layout import ROOT, Layout


class Platform:
    """A platform that is not up yet.

    Args:
        folder: an existing one; everything of the platform is in it.
        plan_file: what it runs.
    """

    def __init__(self, folder: Path, plan_file: Path = plan.PLATFORM) -> None:
        self.layout = Layout(folder / "local")
        self.plan = plan_file

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local", *arguments],
            env={**os.environ, "CADABRA_LOCAL_DIR": str(self.layout.folder)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # What a shell starts in the background ignores Ctrl-C, and so does what that starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command; exit code and output."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def up(self) -> None:
        """Start it."""
        code, output = self.command("up", "--plan", str(self.plan))
        assert code == 0, output

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        return dict(json.loads(self.command("status", "--json")[1]))

    def service(self, name: str) -> dict[str, Any]:
        """What `status --json` says about one service."""
        return next(row for row in self.status()["services"] if row["name"] == name)

    def left(self) -> list[processes.Process]:
        """Every process that carries the id of a run in this folder."""
        return processes.of_run(self.layout.run_id_prefix)

    def supervisor(self) -> int:
        """The supervisor's pid."""
        return int(json.loads(self.layout.state_file.read_text())["pid"])

    def remove(self) -> None:
        """Leave nothing, and print what the supervisor said."""
        processes.kill_run(self.layout.run_id_prefix)
        log = self.layout.logs / "supervisor.log"
        if log.exists():
            print(log.read_text())


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
