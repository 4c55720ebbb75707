"""`python -m deploy.local warehouse`: loads what has landed into lake and warehouse, and compares every line.

Waits until the lake's writer has landed everything that was sent. Run again it changes nothing, and says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import drain, environment, job, line_tables, lines_compare, retail, spark, stored
from deploy.local.drain import Stuck
from deploy.local.job import Ran
from deploy.local.ledger import Ledger
from deploy.local.lines_compare import LineReport
from deploy.local.spark import NotInPlace
from deploy.local.target import NotRunning, Target
from deploy.local.verify import SCAN_TIMEOUT_S
from services.kernel.adapters.dynamodb import DynamoDB

GOAL_S = 90.0
"""How long a full load may take, lake and warehouse together, on two cores."""
GOAL_BYTES = 2_500 * 1024 * 1024
LOAD, COPY, MAINTAIN = "load", "copy", "maintain"
SENTENCES = {
    LOAD: "landing into the lake",
    COPY: "lake into the warehouse",
    MAINTAIN: "maintenance of the lake",
}


@dataclass(slots=True)
class Refreshed:
    """What one refresh did and found.

    Args:
        waited_s: until everything had landed.
        report: of the comparison; None where a job failed before.
    """

    waited_s: float = 0.0
    jobs: list[Ran] = field(default_factory=list)
    report: LineReport | None = None
    compared_s: float = 0.0

    @property
    def code(self) -> int:
        """A failed job's own exit code, 1 where something differs, 0 where all is well."""
        failed = [ran.code for ran in self.jobs if ran.code]
        return failed[0] if failed else int(self.report is None or not self.report.ok)

    @property
    def loaded_s(self) -> float:
        """Of both loads."""
        return sum(ran.elapsed_s for ran in self.jobs if ran.name in (LOAD, COPY))

    @property
    def peak_bytes(self) -> int:
        """Of the largest job."""
        return max((ran.peak_bytes for ran in self.jobs), default=0)

    def as_json(self) -> dict[str, Any]:
        """Everything, times in seconds and memory in bytes."""
        return {
            "ok": self.code == 0,
            "waited_s": round(self.waited_s, 1),
            "loaded_s": round(self.loaded_s, 1),
            "compared_s": round(self.compared_s, 1),
            "peak_bytes": self.peak_bytes,
            "jobs": {ran.name: ran.as_json() for ran in self.jobs},
            "report": self.report.as_json() if self.report else None,
        }


async def refresh(
    target: Target, ledger: Ledger, say: Callable[[str], None], *, maintain: bool = False
) -> Refreshed:
    """Waits, loads, copies and compares; stops at the first job that fails.

    Raises:
        Stuck: the lake's writer makes no progress.
        NotInPlace: Spark is not on this machine.
    """
    done = Refreshed(await _landed(target, ledger, say))
    with tempfile.TemporaryDirectory(dir=target.layout.folder) as folder:
        for name, command in commands(maintain).items():
            say(f"{SENTENCES[name]}: python -m {' '.join(command[2:])}".capitalize())
            ran = await job.run(name, command, settings(target, Path(folder)), say)
            done.jobs.append(ran)
            if ran.code:
                return done
    say("Comparing every line of raw file, order store, lake, star and warehouse.")
    started = time.monotonic()
    done.report = await compare(target, ledger)
    done.compared_s = time.monotonic() - started
    return done


async def load(target: Target, ledger: Ledger, say: Callable[[str], None]) -> Ran:
    """Waits until everything has landed, and loads the lake alone.

    Raises:
        Stuck, NotInPlace: as `refresh`.
    """
    await _landed(target, ledger, say)
    with tempfile.TemporaryDirectory(dir=target.layout.folder) as folder:
        return await job.run(LOAD, commands(False)[LOAD], settings(target, Path(folder)), say)


async def _landed(target: Target, ledger: Ledger, say: Callable[[str], None]) -> float:
    """Waits until everything that was acknowledged is in the landing; how long, in seconds."""
    say("Waiting until the lake's writer has landed everything.")
    return await drain.until_drained(
        target, ledger.counts()["orders_acknowledged"], look_at=drain.look_at_lake
    )


def commands(maintain: bool) -> dict[str, list[str]]:
    """What is run, by name and in order."""
    found = {
        LOAD: [str(spark.PYTHON), "-m", "spark_jobs.warehouse", "load", "--json"],
        COPY: [sys.executable, "-m", "spark_jobs.warehouse.redshift", "load", "--json"],
    }
    if maintain:
        found[MAINTAIN] = [str(spark.PYTHON), "-m", "spark_jobs.warehouse", "maintain", "--json"]
    return found


def settings(target: Target, folder: Path) -> dict[str, str]:
    """The environment of a job over this platform's lake and warehouse."""
    urls = {"aws": target.aws, "postgresql": target.postgresql}
    return {**environment.job(target.run_id, target.namespace, urls), **spark.environment(folder)}


async def compare(target: Target, ledger: Ledger, raw: Path = retail.DATA_FILE) -> LineReport:
    """Reads every place and compares them."""
    os.environ.update(environment.cloud())
    async with DynamoDB.open(target.dynamodb, environment.REGION, read_timeout_s=SCAN_TIMEOUT_S) as dynamodb:
        parts = await stored.read(dynamodb, target.order_history)
    with (
        tempfile.TemporaryDirectory(dir=target.layout.folder) as temporary,
        line_tables.connect(target.aws, Path(temporary)) as connection,
    ):
        folder = Path(temporary)
        await line_tables.read_lake(connection, target.aws, target.sales)

        def rest() -> LineReport:
            faults = line_tables.store(connection, parts)
            line_tables.raw(connection, ledger, raw, folder)
            line_tables.read_warehouse(connection, target.postgresql, target.sales, folder)
            line_tables.lines(connection)
            return lines_compare.compare(connection, faults)

        return await asyncio.to_thread(rest)


def rows(done: Refreshed) -> Iterator[tuple[str, str]]:
    """Label and value of everything found, for people."""
    report = done.report
    if report is not None:
        others = report.lines["lake"] - report.replayed["lake"]
        yield "lines landed", f"{report.lines_landed:,} in {report.objects:,} objects"
        yield "lines sent by the replay", f"{report.replayed['raw']:,}"
        for place in ("store", "lake", "star", "warehouse"):
            yield f"lines in {_NAMES[place]}", f"{report.replayed[place]:,} and {others:,} of other senders"
        for what in ("missing", "doubled", "altered", "foreign"):
            yield f"lines {what}, in all of them", f"{report.count(what):,}"
        yield "sums by month and country", f"{report.sums:,}, {len(report.sums_differing)} of them differ"
        yield "revenue, GBP", report.revenue
        differing = sum(report.rows_differing.values())
        yield "rows of the star", f"{sum(report.rows.values()):,}, {differing} differ from the lake's"
    yield "sent to landed", f"{done.waited_s:.1f} s"
    for ran in done.jobs:
        took = f"{ran.elapsed_s:.1f} s, {ran.cpu_s:.0f} s of CPU, {_megabytes(ran.peak_bytes)}"
        yield SENTENCES[ran.name], took
    if report is not None:
        yield "both loads", _goal(f"{done.loaded_s:.1f} s", done.loaded_s <= GOAL_S, f"{GOAL_S:g} s")
        yield (
            "peak memory of a load",
            _goal(_megabytes(done.peak_bytes), done.peak_bytes <= GOAL_BYTES, _megabytes(GOAL_BYTES)),
        )
        yield "comparison", f"{done.compared_s:.1f} s"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes // 2**20:,} MB"


_NAMES = {
    "store": "the order store",
    "lake": "the lake",
    "star": "the lake's star",
    "warehouse": "the warehouse",
}


def _goal(text: str, met: bool, goal: str) -> str:
    return f"{text}, {'within' if met else 'MISSES'} the goal of {goal}"


def unchanged(ran: Ran) -> bool:
    """Whether a load that went well says that it had nothing to do."""
    named = {LOAD: ("finished", "new_lines", "replaced_lines"), COPY: ("loaded",)}.get(ran.name)
    return ran.code == 0 and named is not None and not any(ran.result.get(name) for name in named)


def told(done: Refreshed) -> Iterator[str]:
    """The verdict, and what differs or failed where something did."""
    for ran in done.jobs:
        if unchanged(ran):
            yield f"{SENTENCES[ran.name]}: no change"
        if ran.code:
            yield f"FAILED: {SENTENCES[ran.name]} ended with {ran.code}"
            yield from (f"  {line}" for line in ran.told)
    if done.report is not None and done.report.ok:
        yield "warehouse: raw file, order store, lake and warehouse are equal, line by line"
    elif done.report is not None:
        yield "warehouse: there are differences, the first ones:"
        yield from (f"  {sentence}" for sentence in done.report.told)


def main(arguments: list[str]) -> int:
    """Prints what was done and found; a failed job's exit code, 1 where something differs."""
    parser = argparse.ArgumentParser(prog="deploy.local warehouse", description=__doc__)
    parser.add_argument("--maintain", action="store_true", help="compact and tidy up the lake after the load")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    chosen = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr if chosen.json else sys.stdout, flush=True)

    try:
        target = Target.current()
        ledger = Ledger(target.ledger_file, target.run_id)
        done = asyncio.run(refresh(target, ledger, say, maintain=chosen.maintain))
    except (NotRunning, NotInPlace, Stuck) as error:
        say(f"FAILED: {error}")
        return 1
    for label, value in rows(done):
        say(f"  {label:<44}{value}")
    for line in told(done):
        say(line)
    if chosen.json:
        print(json.dumps(done.as_json(), indent=1))
    return done.code
