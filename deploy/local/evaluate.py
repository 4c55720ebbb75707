"""`python -m deploy.local evaluate`: the recommendations against what others would use, on the real order lines.

Needs no running platform. Spark trains and ranks, the library `implicit` does the same on the same histories in the
peers' environment, then everything is measured. Prints the table, and the path of the report that it writes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deploy.local import bench_peers, environment, job, order_lines_file, spark
from deploy.local.engines.fetch import FetchFailed
from deploy.local.job import Ran
from deploy.local.layout import ROOT, Layout

CUTOFFS = ("2011-06-30", "2011-08-31", "2011-10-10")
PEERS_AT_ONCE = 2
NOT_IN_PLACE = 69
_EVALUATION = "spark_jobs.recommendations.evaluation"


class Failed(Exception):
    """A step ended badly.

    Args:
        ran: its name, its exit code and its last words.
    """

    def __init__(self, ran: Ran) -> None:
        super().__init__(f"{ran.name} ended with {ran.code}:\n" + "\n".join(ran.told))
        self.code = ran.code if ran.code > 0 else 70


async def evaluate(folder: Path, cutoffs: Sequence[str]) -> dict[str, dict[str, float]]:
    """Train, rank and hand over, everything below a folder.

    Returns:
        of each step elapsed_s, cpu_s and peak_bytes.

    Raises:
        NotInPlace: Spark is not on this machine.
        Failed: a step ended badly.
    """
    lines, begun = folder / "lines.parquet", time.monotonic()
    count = await asyncio.to_thread(order_lines_file.write, lines)
    _say(f"{count:,} order lines as Parquet: {time.monotonic() - begun:.1f} s")
    ranked = await _spark(lines, folder, cutoffs)
    took = {"Spark: train and rank": _took([ranked])}
    if not await asyncio.to_thread(peers_in_place):
        return took
    begun, turns = time.monotonic(), asyncio.Semaphore(PEERS_AT_ONCE)

    async def one(day: str) -> Ran:
        async with turns:
            return await _peers(folder / day)

    done = await asyncio.gather(*map(one, cutoffs))
    (folder / "peers.json").write_text(
        json.dumps({day: found for ran in done for day, found in ran.result["cuts"].items()}),
        encoding="utf-8",
    )
    took["implicit: grids and rankings"] = {**_took(done), "elapsed_s": time.monotonic() - begun}
    return took


def peers_in_place() -> bool:
    """Build the peers' environment from its lock where it is not there; False, and said, where it cannot be had."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            bench_peers.put_in_place()
    except FetchFailed as failure:
        _say(f"implicit is not measured: {failure}")
        return False
    return True


async def _spark(lines: Path, folder: Path, cutoffs: Sequence[str]) -> Ran:
    with tempfile.TemporaryDirectory(dir=folder) as spilled:
        command: list[str | Path] = [spark.PYTHON, "-m", "spark_jobs.recommendations", "evaluate", "--json"]
        command += ["--lines", lines, "--cutoffs", ",".join(cutoffs), "--folder", folder]
        settings = {**_environment(), **spark.environment(Path(spilled))}
        return _well(await job.run("Spark's part", command, settings, _say))


async def _peers(folder: Path) -> Ran:
    # One thread of linear algebra beside the library's own threads, as it asks for.
    settings = {**_environment(), "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return _well(
        await job.run("implicit", [bench_peers.PYTHON, "-m", f"{_EVALUATION}.peers", folder], settings, _say)
    )


def report(folder: Path, page: Path, as_json: bool) -> int:
    """Measure and print; 0, or 1 where a goal is missed."""
    command = [sys.executable, "-m", _EVALUATION, str(folder), "--page", str(page)]
    settings = {**_environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, *(["--json"] if as_json else [])], env=settings, cwd=ROOT, check=False
    ).returncode


def _environment() -> dict[str, str]:
    return environment.job(f"evaluate-{uuid.uuid4().hex[:8]}", "evaluate", {})


def _well(ran: Ran) -> Ran:
    if ran.code:
        raise Failed(ran)
    return ran


def _took(done: Sequence[Ran]) -> dict[str, float]:
    """Of steps that ran side by side; memory of the most that may have run at once."""
    peaks = sorted((ran.peak_bytes for ran in done), reverse=True)[:PEERS_AT_ONCE]
    return {
        "elapsed_s": max(ran.elapsed_s for ran in done),
        "cpu_s": sum(ran.cpu_s for ran in done),
        "peak_bytes": sum(peaks),
    }


def _cutoffs(text: str) -> list[str]:
    """Days, with commas, in order."""
    return sorted({date.fromisoformat(day.strip()).isoformat() for day in text.split(",")})


def main(arguments: list[str]) -> int:
    """Print the table and the report's path; 1 where a goal is missed, else 0, or a failed step's own exit code."""
    parser = argparse.ArgumentParser(prog="deploy.local evaluate", description=__doc__)
    parser.add_argument(
        "--cutoffs",
        type=_cutoffs,
        default=list(CUTOFFS),
        metavar="DAYS",
        help=f"days as YYYY-MM-DD, with commas: known is what was ordered before (default: {','.join(CUTOFFS)})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    options = parser.parse_args(arguments)
    local = Layout.current().folder
    page = local / "reports" / f"recommendations-{datetime.now(UTC).date()}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment.cloud())
    with tempfile.TemporaryDirectory(dir=local) as temporary:
        folder = Path(temporary)
        try:
            took: Mapping[str, Any] = asyncio.run(evaluate(folder, options.cutoffs))
        except spark.NotInPlace as missing:
            _say(str(missing))
            return NOT_IN_PLACE
        except Failed as failure:
            _say(str(failure))
            return failure.code
        (folder / "took.json").write_text(json.dumps(took), encoding="utf-8")
        code = report(folder, page, options.json)
    _say(f"report: {page}") if options.json else print(f"report: {page}")
    return code


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
