"""How one round of a participant is timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.logs.process import Command, run
from bench.logs.table import Round

Make = Callable[[Path, Path], Command]
"""A command that reads the first and writes the second."""
Timed = Callable[[Path, int, Path], Round]
"""Reads a file of so many lines; what comes of it goes into a folder."""


def of_process(make: Make) -> Timed:
    """Time a process from its start to its end."""

    def timed(source: Path, count: int, folder: Path) -> Round:
        took = run(make(source, fresh(folder)), folder)
        return Round(count, took.wall_s, took.cpu_s, took.peak_rss_mb)

    return timed


def of_loop(make: Make) -> Timed:
    """Let a process time its own loop, and ask it what that took.

    Raises:
        RuntimeError: it read another number of lines.
    """

    def timed(source: Path, count: int, folder: Path) -> Round:
        took = run(make(source, fresh(folder)), folder)
        said = json.loads(took.said)
        if said["lines"] != count:
            raise RuntimeError(f"{source}: {said['lines']} lines were read of {count}")
        return Round(count, said["wall_s"], said["cpu_s"], took.peak_rss_mb)

    return timed


def fresh(folder: Path) -> Path:
    """Where an output may go; nothing is there, for some add to what is."""
    output = folder / "output.json"
    output.unlink(missing_ok=True)
    return output
