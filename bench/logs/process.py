"""One process, from its start to its end: what it used and what it said."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import die_with_parent

_POLL_S = 0.01
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started.

    Args:
        environment: all of it, but for PATH, HOME and LANG.
        output: where its standard output goes; None: it is kept and given back.
    """

    arguments: list[str]
    environment: dict[str, str]
    output: Path | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Args:
        cpu_s: user and system, of the process and all of its children.
        peak_rss_mb: of the process.
        said: its standard output, where that was kept.
    """

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    said: str


def run(command: Command, folder: Path) -> Run:
    """Run a process to its end.

    Args:
        folder: for what it writes to its standard output and standard error.

    Raises:
        RuntimeError: it cannot be started, ended with an error or not in time; the message has its last words.
    """
    said, errors = folder / "said.txt", folder / "errors.txt"
    with (command.output or said).open("wb") as output, errors.open("wb") as error:
        began_s = time.perf_counter()
        process = _start(command, output.fileno(), error.fileno())
        status, cpu_s, peak_mb = _reap(process, began_s + _TIMEOUT_S)
        wall_s = time.perf_counter() - began_s
    if status:
        last = errors.read_text(encoding="utf-8", errors="replace")[-1000:]
        raise RuntimeError(f"{command.arguments[0]} ended with {status}:\n{last}")
    return Run(wall_s, cpu_s, peak_mb, "" if command.output else said.read_text(encoding="utf-8"))


def environment() -> dict[str, str]:
    """What every process gets."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _start(command: Command, output: int, error: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.arguments,
            env={**environment(), **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error,
            preexec_fn=die_with_parent,
        )
    except OSError as reason:
        raise RuntimeError(f"{command.arguments[0]} does not start: {reason}") from None


def _reap(process: subprocess.Popen[bytes], deadline_s: float) -> tuple[int, float, float]:
    peak_mb = 0.0
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used.ru_utime + used.ru_stime, peak_mb
        if time.perf_counter() > deadline_s:
            process.kill()
        # The system's own figure for an ended process counts what its parent held when it forked.
        peak_mb = max(peak_mb, peak_rss_mb(process.pid))
        time.sleep(_POLL_S)


def peak_rss_mb(pid: int) -> float:
    """The most memory that a process held so far; 0 where it is gone.

    Source: proc(5), /proc/pid/status, VmHWM, in KiB.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0
