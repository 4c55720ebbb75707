"""The load of lake and warehouse beside DuckDB and Polars, which do the same on files: time, memory, growth.

`python -m bench.warehouse` prints the table and whether each goal is met. Exit 1 where one is missed. bench/README.md
says what each column means.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.warehouse import scaled, table
from bench.warehouse.ours import Ours
from bench.warehouse.table import COPY, DAY, FULL, OURS, Measured
from deploy.local import bench_peers, environment, job
from deploy.local.job import Ran
from tests.engines import Engines, started

WHOLE, QUICK = (1, 4, 16), (1,)
SCRIPTS = Path(__file__).parent
POLARS_PYTHON = os.environ.get("CADABRA_BENCH_POLARS_PYTHON", str(bench_peers.PYTHON))


async def measure(engines: Engines, copies: int, folder: Path) -> list[Measured]:
    """Both loads of so many times the real data, by everybody, one after another."""
    landing, found = folder / "files", list[Measured]()
    ours = Ours(engines, f"bench-{copies}", landing)
    for load in (FULL, DAY):
        _say(f"{copies}x, {load}: writing objects")
        files = scaled.write(landing, copies) if load == FULL else scaled.one_more_day(landing, copies)
        await ours.put(files)
        name = f"{copies}x, {load}"
        _say(f"{name}: ours")
        found.append(_measured(OURS, copies, load, await ours.load(name)))
        found.append(_measured(COPY, copies, load, await ours.copy(name)))
        for who, command in peers().items():
            _say(f"{name}: {who}")
            ran = await job.run(who, [*command, str(landing), str(folder / who)], _environment(), _say)
            if ran.code:
                raise RuntimeError(f"{who} ended with {ran.code}:\n" + "\n".join(ran.told))
            found.append(_measured(who, copies, load, ran))
    return found


def peers() -> dict[str, list[str]]:
    """Who is measured beside ours, and how each is started; one that is not on this machine is left out."""
    found = {"DuckDB on files": [sys.executable, str(SCRIPTS / "duckdb_star.py")]}
    polars = [POLARS_PYTHON, str(SCRIPTS / "polars_star.py")]
    if (
        Path(POLARS_PYTHON).exists()
        and not subprocess.run(
            [POLARS_PYTHON, "-c", "import polars"], capture_output=True, check=False
        ).returncode
    ):
        found["Polars on files"] = polars
    return found


def _measured(who: str, copies: int, load: str, ran: Ran) -> Measured:
    lines, revenue = ran.result.get("lines"), ran.result.get("revenue")
    return Measured(
        who,
        copies,
        load,
        ran.elapsed_s,
        ran.cpu_s,
        ran.peak_bytes,
        lines if revenue is not None else None,
        revenue,
    )


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
    }


def run(sizes: Sequence[int]) -> list[Measured]:
    """Measure every size, each on engines of its own, which hold everything in memory."""
    os.environ.update(environment.cloud())
    found: list[Measured] = []
    for copies in sizes:
        with (
            tempfile.TemporaryDirectory() as temporary,
            started(Path(temporary), ("aws", "postgresql")) as engines,
        ):
            found += asyncio.run(measure(engines, copies, Path(temporary)))
    return found


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.warehouse", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the real data alone, no growth")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(QUICK if options.quick else WHOLE)
    judged = table.goals(found)
    if options.json:
        print(json.dumps({"measured": [asdict(one) for one in found], "goals": dict(judged)}))
    else:
        print("\n".join(table.rows(found)))
        for sentence, met in judged:
            print(f"{'met   ' if met else 'MISSED'} {sentence}")
        if "Polars on files" not in peers():
            print("Polars is not measured: it is not in the peers' environment")
    return 0 if all(met for _, met in judged) else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
