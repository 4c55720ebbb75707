"""The processes of a run, as the system sees them: who belongs to it, what they use, how they end.

A run is known by `CADABRA_RUN_ID` in the environment of every process that it starts, so that none can hide,
however deep it was started and whoever its parent is now. Linux only; standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

RUN_ID_VARIABLE = "CADABRA_RUN_ID"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_SIZE_BYTES = os.sysconf("SC_PAGE_SIZE")


def die_with_parent() -> None:
    """Ask the system to kill this process when the thread that started it ends; for `preexec_fn`.

    Source: prctl(2), PR_SET_PDEATHSIG: kept over execve, cleared in a fork's child.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a run."""

    pid: int
    command: str


def of_run(run_id: str) -> list[Process]:
    """Every process but the caller whose environment names this run; a zombie has none and does not count.

    Args:
        run_id: the whole id, or how it begins: then every run that begins so.
    """
    mark = b"\0" + f"{RUN_ID_VARIABLE}={run_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            environment = _read(entry / "environ")
            if mark in b"\0" + environment:
                command = _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
                found.append(Process(int(entry.name), command))
    return found


def kill_run(run_id: str, timeout_s: float = 5.0) -> list[Process]:
    """Kill whatever is left of a run and wait until nothing is.

    Returns:
        What was killed, each process once.

    Raises:
        TimeoutError: something of the run survived SIGKILL for `timeout_s` (it hangs in the system).
    """
    killed: dict[int, Process] = {}
    deadline = time.monotonic() + timeout_s
    while left := of_run(run_id):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after SIGKILL: {left}")
        for process in left:
            killed[process.pid] = process
            send(process.pid, signal.SIGKILL)
        time.sleep(0.05)
    return list(killed.values())


def send(pid: int, signal_number: int) -> bool:
    """Send a signal; False where the process is gone already."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: CPU seconds since it began, and the memory that it holds now."""

    cpu_s: float
    rss_bytes: int


def usage(pid: int) -> Usage | None:
    """What this process uses; None where it is gone.

    Source: proc(5), /proc/pid/stat, fields 14 utime, 15 stime and 24 rss.
    """
    stat = _read(Path(f"/proc/{pid}/stat"))
    if not stat:
        return None
    fields = stat.rpartition(b")")[2].split()
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, int(fields[21]) * _PAGE_SIZE_BYTES)


def usage_of_tree(pid: int) -> Usage | None:
    """What this process and everything that it started use together; None where it is gone."""
    found = [each for one in tree(pid) if (each := usage(one)) is not None]
    if not found:
        return None
    return Usage(sum(each.cpu_s for each in found), sum(each.rss_bytes for each in found))


def tree(pid: int) -> list[int]:
    """This process and everything that it started, as far as it still belongs to it."""
    pids, found = [pid], list[int]()
    while pids:
        found.append(pids.pop())
        for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            pids += [int(child) for child in _read(task).split()]
    return found


def peak_bytes(pid: int) -> int:
    """The largest resident memory that this process has had; 0 where it is gone.

    Source: proc(5), /proc/pid/status, VmHWM in KiB.
    """
    peaks = [line for line in _read(Path(f"/proc/{pid}/status")).splitlines() if line.startswith(b"VmHWM:")]
    return int(peaks[0].split()[1]) * 1024 if peaks else 0


def listening_addresses(pid: int) -> list[str]:
    """Where this process listens for TCP, as "127.0.0.1:4567"; an IPv6 address is given in hexadecimal.

    Source: proc(5), /proc/net/tcp: local address in host byte order, state 0A is LISTEN.
    """
    inodes = _socket_inodes(pid)
    addresses = []
    for table in ("tcp", "tcp6"):
        for line in _read(Path(f"/proc/{pid}/net/{table}")).decode().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                host, _, port = columns[1].partition(":")
                addresses.append(f"{_readable(host)}:{int(port, 16)}")
    return sorted(addresses)


def _readable(host: str) -> str:
    if len(host) != 8:
        return host
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except FileNotFoundError:
        pass
    return inodes


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
