"""Services as real processes, for tests that start, stop and kill them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import processes

ROOT = Path(__file__).parents[1]


@dataclass(slots=True)
class ServiceProcess:
    """One service that runs as a process of its own; killed at the end of the test at the latest.

    Args:
        log_file: everything that it printed.
        ready: what it wrote when it was ready: port (None without an API), metrics_port and pid.
    """

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path
    ready: dict[str, Any]

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.ready['port']}"

    @property
    def metrics_url(self) -> str:
        """Where /metrics, /healthz and /readyz are."""
        return f"http://127.0.0.1:{self.ready['metrics_port']}"

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill9(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def kill9_tree(self) -> None:
        """End it and everything that it started, all at once."""
        for pid in processes.tree(self.process.pid):
            processes.send(pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> None:
        """Ask it to drain and end (SIGTERM); `wait` for the exit code."""
        processes.send(self.process.pid, signal.SIGTERM)

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP), as a long garbage collection or a frozen machine would."""
        processes.send(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        processes.send(self.process.pid, signal.SIGCONT)

    async def wait(self, timeout_s: float = 40.0) -> int:
        """Wait for its end; returns the exit code, negative for a signal.

        Raises:
            TimeoutError: it still runs.
        """
        deadline = time.monotonic() + timeout_s
        while (code := self.process.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} still runs after {timeout_s} s\n{self.log_tail()}")
            await asyncio.sleep(0.02)
        return code

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged so far; a line that is not JSON comes as {"event": <the text>}."""
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    def log_tail(self) -> str:
        """The last 4,000 characters of its output."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-4000:]

    async def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name with labels, such as `x_total{status="202"}`."""
        text = await asyncio.to_thread(_get, f"{self.metrics_url}/metrics")
        samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    async def is_ready(self) -> bool:
        """Whether /readyz says 200."""
        try:
            await asyncio.to_thread(_get, f"{self.metrics_url}/readyz")
        except urllib.error.URLError:
            return False
        return True


async def start(
    name: str, folder: Path, environment: Mapping[str, str], timeout_s: float = 30.0
) -> ServiceProcess:
    """Start `python -m services.<name>` and wait until it has said that it is ready.

    Args:
        name: of the service; a name with dots is that of any module that lives like a service.
        folder: for its log and its ready file; a second process of the same name gets files of its own.
        environment: all of it; nothing is inherited.

    Raises:
        RuntimeError: it ended, or is not ready in time; its output is in the message.
    """
    module = name if "." in name else f"services.{name}"
    return await start_module(module, (), folder, environment, timeout_s)


async def start_module(
    module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float
) -> ServiceProcess:
    """Start `python -m <module> <arguments>`, which keeps a service's promises, and wait until it is ready.

    Raises:
        RuntimeError: it ended, or is not ready in time; its output is in the message.
    """
    service = launch(module, folder, environment, arguments)
    ready_file = service.log_file.with_suffix(".ready")
    deadline = time.monotonic() + timeout_s
    while not ready_file.exists():
        if not service.running or time.monotonic() > deadline:
            code = service.process.poll()
            service.kill9()
            raise RuntimeError(f"{module} is not ready (exit code {code}):\n{service.log_tail()}")
        await asyncio.sleep(0.02)
    service.ready = json.loads(ready_file.read_text(encoding="utf-8"))
    return service


def launch(
    module: str, folder: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()
) -> ServiceProcess:
    """Start `python -m <module>` without waiting for anything; `ready` stays empty."""
    name = module.rpartition(".")[2]
    number = len(list(folder.glob(f"{name}-*.log")))
    log_file = folder / f"{name}-{number}.log"
    with log_file.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**environment, "CADABRA_READY_FILE": str(log_file.with_suffix(".ready"))},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=processes.die_with_parent,
        )
    return ServiceProcess(name, process, log_file, {})


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - http to ourselves
        return str(response.read().decode())
