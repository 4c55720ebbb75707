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

from deploy.local import processes
from deploy.local.engines import engine


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines of this test session serve; all on 127.0.0.1. `aws` is "" unless a test asks for it."""

    kinesis: str
    dynamodb: str
    run_id: str
    aws: str = ""


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
    running: dict[str, tuple[engine.Launch, subprocess.Popen[bytes]]] = {}
    try:
        for name in names:
            launch = engine.launch(name, folder)
            running[name] = (launch, _start(launch, folder / f"{name}.log", run_id))
        urls = {
            name: _wait(launch, process, folder / f"{name}.log")
            for name, (launch, process) in running.items()
        }
        yield Engines(urls.get("kinesis", ""), urls.get("dynamodb", ""), run_id, urls.get("aws", ""))
    finally:
        for _, process in running.values():
            process.kill()
            process.wait()


def _start(launch: engine.Launch, log: Path, run_id: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            launch.command,
            env={**launch.environment, processes.RUN_ID_VARIABLE: run_id},
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=processes.die_with_parent,
        )


def _wait(launch: engine.Launch, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + engine.READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if url := engine.url(launch):
            return url
        if process.poll() is not None:
            break
        time.sleep(0.05)
    text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"engine {launch.name} is not ready (exit code {process.poll()}):\n{text}")


def local_environment(found: Engines) -> dict[str, str]:
    """The settings that point a process of ours, or an SDK, at these engines."""
    aws = {"CADABRA_SNS_ENDPOINT": found.aws} if found.aws else {}
    return {
        **aws,
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
