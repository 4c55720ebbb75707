"""Bento, built from its Go module: Logstash's grok, and the cheapest regular expression."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from bench.logs.absence import Absent, last_line
from bench.logs.process import Command

VERSION = "1.10.0"
SOURCES = Path(__file__).parent / "bento_go"
_BUILD_TIMEOUT_S = 900


def program(engines: Path) -> Path:
    """Build Bento where it is not there, as go.sum pins it; returns the program.

    Args:
        engines: an existing folder, in which it stays for the next time.

    Raises:
        Absent: there is no Go, or the build failed.
    """
    folder = engines / "bento"
    built = folder / _digest()[:12]
    if built.exists():
        return built
    if shutil.which("go") is None:
        raise Absent("it is built with Go, and there is no `go` on the PATH")
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"unfinished-{os.getpid()}"
    try:
        _build(unfinished)
        unfinished.rename(built)
    finally:
        unfinished.unlink(missing_ok=True)
    return built


def command(bento: Path, pipeline: str, source: Path, output: Path) -> Command:
    """Read `source` by one of the pipelines, on one thread, and write JSON lines to `output`."""
    arguments = [str(bento), "-c", str(SOURCES / f"{pipeline}.yaml")]
    return Command(arguments, {"BENCH_INPUT": str(source), "BENCH_OUTPUT": str(output)})


def _build(program: Path) -> None:
    command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(program), "."]
    try:
        build = subprocess.run(
            command, cwd=SOURCES, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"its build took over {_BUILD_TIMEOUT_S} s") from None
    if build.returncode:
        raise Absent(f"`go build` ended with {build.returncode}: {last_line(build.stderr)}")


def _digest() -> str:
    names = ("go.mod", "go.sum", "main.go")
    return hashlib.sha256(b"\0".join((SOURCES / name).read_bytes() for name in names)).hexdigest()
