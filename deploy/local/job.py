"""One bounded job as a child of this process: what it says goes on, its answer is read, what it takes is measured."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from asyncio import StreamReader
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from deploy.local import processes
from deploy.local.layout import ROOT

LOOK_EVERY_S = 0.2
_LINE_BYTES = 1024 * 1024
_TOLD_LINES = 20


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that has ended.

    Args:
        code: its exit code, negative for a signal.
        result: the JSON document that it printed; empty where it printed none.
        cpu_s: CPU seconds of it and of everything that it started, up to the last look.
        peak_bytes: of the resident memory of all its processes together: the sum of their own peaks.
        told: the last lines that it said.
    """

    name: str
    code: int
    elapsed_s: float
    cpu_s: float = 0.0
    peak_bytes: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What it took and what it answered."""
        return {
            "code": self.code,
            "elapsed_s": round(self.elapsed_s, 1),
            "cpu_s": round(self.cpu_s, 1),
            "peak_bytes": self.peak_bytes,
            "result": self.result,
        }


async def run(
    name: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    say: Callable[[str], None],
    started: Callable[[int], None] = lambda _: None,
) -> Ran:
    """Runs a job to its end; it is killed with this process.

    Args:
        command: the program and its arguments; it prints one JSON document on stdout, and tells people on stderr.
        environment: all of it; nothing is inherited.
        say: is given each line for people as it comes.
        started: is given the process id.

    Raises:
        OSError: the program cannot be started.
    """
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env=environment,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
        preexec_fn=processes.die_with_parent,
    )
    started(process.pid)
    stdout, stderr = cast(StreamReader, process.stdout), cast(StreamReader, process.stderr)
    used = asyncio.create_task(_watch(process.pid))
    told: list[str] = []
    try:
        answer, _ = await asyncio.gather(stdout.read(), _pass_on(stderr, say, told))
        code = await process.wait()
    finally:
        used.cancel()
        if process.returncode is None:
            processes.send(process.pid, signal.SIGKILL)
            await process.wait()
    cpu_s, peak_bytes = await used
    return Ran(
        name, code, time.monotonic() - begun, cpu_s, peak_bytes, _document(answer), told[-_TOLD_LINES:]
    )


async def _pass_on(stream: StreamReader, say: Callable[[str], None], told: list[str]) -> None:
    async for line in stream:
        text = line.decode(errors="replace").rstrip()
        told.append(text)
        del told[:-_TOLD_LINES]
        say(text)


async def _watch(pid: int) -> tuple[float, int]:
    """Looks until it is cancelled; CPU seconds and the highest sum of peaks that was seen."""
    cpu_s, peak_bytes = 0.0, 0
    try:
        while True:
            usage = processes.usage_of_tree(pid)
            cpu_s = max(cpu_s, usage.cpu_s if usage else 0.0)
            peak_bytes = max(peak_bytes, sum(map(processes.peak_bytes, processes.tree(pid))))
            await asyncio.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        return cpu_s, peak_bytes


def _document(answer: bytes) -> dict[str, Any]:
    """The JSON object on stdout; empty where there is none, or something else."""
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
