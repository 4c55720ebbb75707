"""Real engines for the tests, started once for a test session and gone with it."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import processes
from deploy.local.engines import engine, launch


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines of this test session serve; all on 127.0.0.1. One that was not asked for is ""."""

    kinesis: str
    dynamodb: str
    run_id: str
    aws: str = ""
    opensearch: str = ""
    postgresql: str = ""


class EngineProcess:
    """One engine as a process that a test may kill and start again.

    Args:
        folder: for its log, its port file and, of one that stores on disk, its data.
    """

    def __init__(self, name: str, folder: Path, run_id: str) -> None:
        self.name = name
        self.url = ""
        self._folder = folder
        self._run_id = run_id
        self._log = folder / f"{name}.log"
        self._launch: launch.Launch | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, port: int = 0, keep_data: bool = False) -> None:
        """Start it without waiting.

        Args:
            port: to listen on, 0 for one that is free.
            keep_data: with what its last life stored.
        """
        self._launch = engine.launch(self.name, self._folder, port, keep_data=keep_data)
        launch.prepare(self._launch)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._launch.command,
                env={**self._launch.environment, processes.RUN_ID_VARIABLE: self._run_id},
                cwd=self._launch.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=processes.die_with_parent,
            )

    def wait(self) -> str:
        """Wait until it answers; returns its URL.

        Raises:
            RuntimeError: it ended or does not answer; its log is in the message.
        """
        assert self._launch is not None
        assert self._process is not None
        deadline = time.monotonic() + launch.READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if url := launch.url(self._launch):
                self.url = url
                return url
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        text = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"engine {self.name} is not ready (exit code {self._process.poll()}):\n{text}")

    def start_again(self) -> None:
        """Start it at its old address with what it stored, and wait until it answers."""
        self.start(urlsplit(self.url).port or 0, keep_data=True)
        self.wait()

    def kill9(self) -> None:
        """End it at once, as a crash of the machine would; one that never ran is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def one_started(name: str, folder: Path) -> Iterator[EngineProcess]:
    """Start one engine of the test's own, wait until it answers, and kill it at the end."""
    process = EngineProcess(name, folder, f"tests-{uuid.uuid4().hex}")
    try:
        process.start()
        process.wait()
        yield process
    finally:
        process.kill9()


@contextmanager
def started(folder: Path, names: tuple[str, ...] = ("kinesis", "dynamodb")) -> Iterator[Engines]:
    """Start engines, wait until each answers, and kill them at the end.

    Args:
        folder: for their logs and port files.
        names: which; the URL of one that is not named is "".

    Raises:
        RuntimeError: an engine ended or does not answer; its log is in the message.
    """
    run_id = f"tests-{uuid.uuid4().hex}"
    running = [EngineProcess(name, folder, run_id) for name in names]
    try:
        for process in running:
            process.start()
        urls = {process.name: process.wait() for process in running}
        yield Engines(**{"kinesis": "", "dynamodb": "", "run_id": run_id, **urls})
    finally:
        for process in running:
            process.kill9()


def local_environment(found: Engines) -> dict[str, str]:
    """The settings that point a process of ours, or an SDK, at these engines."""
    urls = {"aws": found.aws, "opensearch": found.opensearch, "postgresql": found.postgresql}
    return {
        **{
            f"CADABRA_{served.upper()}_ENDPOINT": url
            for name, url in urls.items()
            for served in engine.SERVES[name]
            if url
        },
        "PATH": os.environ.get("PATH", os.defpath),
        "CADABRA_KINESIS_ENDPOINT": found.kinesis,
        "CADABRA_DYNAMODB_ENDPOINT": found.dynamodb,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
