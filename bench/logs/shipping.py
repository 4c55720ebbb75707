"""The shipper from end to end: a file appears in its folder, and every line of it arrives at Kinesis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.logs import kinesis
from bench.logs.lines import ROOT
from bench.logs.process import environment, peak_rss_mb
from bench.logs.table import Round
from deploy.local import processes

_POLL_S = 0.02
_TIMEOUT_S = 120.0
_FIRST = '192.0.2.1 - - [20/May/2015:21:05:59 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'


def ship(source: Path, count: int, folder: Path) -> Round:
    """Let a new shipper, once it is at work, ship a file of `count` lines.

    Raises:
        RuntimeError: it ended, or not every line arrived in time, or more than every line.
    """
    with TemporaryDirectory(dir=folder) as name:
        watched = Path(name) / "logs"
        watched.mkdir()
        (watched / "first.log").write_text(_FIRST, encoding="utf-8")
        with _started([sys.executable, "-m", "bench.logs.kinesis"], {}, Path(name) / "kinesis.txt") as stub:
            port = _port(stub, Path(name) / "kinesis.txt")
            settings = _settings(port, watched, Path(name) / "state")
            command = [sys.executable, "-m", "services.log_shipper"]
            with _started(command, settings, Path(name) / "shipper.txt") as shipper:
                _wait(shipper, lambda: kinesis.arrived(port) == 1, Path(name) / "shipper.txt")
                return _measured(shipper, port, source, count, watched)


def _measured(shipper: subprocess.Popen[bytes], port: int, source: Path, count: int, watched: Path) -> Round:
    log = watched.parent / "shipper.txt"
    before, began_s = processes.usage(shipper.pid), time.perf_counter()
    os.link(source, watched / "access.log")
    _wait(shipper, lambda: kinesis.arrived(port) > count, log)
    wall_s, after = time.perf_counter() - began_s, processes.usage(shipper.pid)
    if before is None or after is None or kinesis.arrived(port) != count + 1:
        raise RuntimeError(f"{kinesis.arrived(port) - 1} entries arrived of {count} lines")
    return Round(count, wall_s, after.cpu_s - before.cpu_s, peak_rss_mb(shipper.pid))


def _settings(port: int, watched: Path, state: Path) -> dict[str, str]:
    state.mkdir()
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "CADABRA_NAMESPACE": "bench",
        "CADABRA_KINESIS_ENDPOINT": f"http://127.0.0.1:{port}",
        "CADABRA_LOG_GLOBS": f"{watched}/*.log",
        "CADABRA_STATE_FOLDER": str(state),
        "CADABRA_LOG_LEVEL": "ERROR",
        "CADABRA_ENRICH": "",
    }


@contextmanager
def _started(command: list[str], settings: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=processes.die_with_parent,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _port(stub: subprocess.Popen[bytes], said: Path) -> int:
    _wait(stub, lambda: said.read_bytes().endswith(b"\n"), said)
    return int(said.read_bytes())


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool], log: Path) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"{log.stem}: {log.read_text(encoding='utf-8', errors='replace')[-1000:]}")
        time.sleep(_POLL_S)
