"""A process under the supervisor: its output, its end, and what it leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.child import Child
from deploy.local.run_logs import RunLogs

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"
)

STARTS_ANOTHER = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
"""


async def start(folder: Path, code: str) -> tuple[Child, RunLogs]:
    logs = RunLogs(folder)
    command = [sys.executable, "-c", code]
    return await Child.start("child", command, dict(os.environ), folder, logs), logs


async def test_everything_that_it_printed_is_in_its_log(tmp_path: Path) -> None:
    child, logs = await start(
        tmp_path, "import sys; print('x' * 300_000); sys.stderr.write('end'); sys.exit(7)"
    )

    assert await child.wait() == 7
    logs.close()

    assert logs.path("child").read_text().replace("\n", "") == "x" * 300_000 + "end"


async def test_one_that_does_not_drain_is_killed(tmp_path: Path) -> None:
    child, logs = await start(tmp_path, f"{IGNORES_SIGTERM}; time.sleep(60)")
    while not logs.path("child").exists():
        await asyncio.sleep(0.01)

    assert not await child.stop(timeout_s=0.2)
    logs.close()

    assert not child.running
    assert await child.wait() == -signal.SIGKILL


async def test_its_end_is_seen_while_something_that_it_started_holds_its_output(tmp_path: Path) -> None:
    child, logs = await start(tmp_path, STARTS_ANOTHER)
    began = time.monotonic()

    assert await child.wait() == 0
    logs.close()

    assert time.monotonic() - began < 20
    assert processes.send(int(logs.path("child").read_text()), signal.SIGKILL)


async def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)
    with pytest.raises(FileNotFoundError):
        await Child.start("child", [str(tmp_path / "none")], dict(os.environ), tmp_path, logs)
    logs.close()
