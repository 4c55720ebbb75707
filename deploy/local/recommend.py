"""`python -m deploy.local recommend`: recommendations from what is in the lake, judged, put into service, checked.

Run again over the same lake the same lists come out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import job, spark, warehouse
from deploy.local.job import Ran
from deploy.local.spark import NotInPlace
from deploy.local.target import NotRunning, Target

TRAIN, PUBLISH, EXPIRE, CHECK = "train", "publish", "expire", "check"
SENTENCES = {
    TRAIN: "training on the lake",
    PUBLISH: "gate, and into service",
    EXPIRE: "old versions out",
    CHECK: "comparison of table and version",
}
# One candidate of several, and half of the job's time at its full size, which `make evaluate` keeps.
_SMALL_ALS = {"CADABRA_ALS_RANK": "32", "CADABRA_ALS_ITERATIONS": "5"}
_YARDSTICK = "popularity_"
"""What the names of the methods begin with that a list has to beat."""


@dataclass(slots=True)
class Recommended:
    """What was done, job by job."""

    jobs: list[Ran] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code of the job that failed, 0 where none did."""
        return next((ran.code for ran in self.jobs if ran.code), 0)

    def answer(self, name: str) -> dict[str, Any]:
        """What a job answered; empty where it did not run."""
        return next((ran.result for ran in self.jobs if ran.name == name), {})

    def as_json(self) -> dict[str, Any]:
        """Everything, times in seconds and memory in bytes."""
        return {"ok": self.code == 0, "jobs": {ran.name: ran.as_json() for ran in self.jobs}}


def commands(*, force: bool = False) -> dict[str, list[str]]:
    """What is run, by name and in order."""
    release = [sys.executable, "-m", "spark_jobs.recommendations.release"]
    return {
        TRAIN: [str(spark.PYTHON), "-m", "spark_jobs.recommendations", "train", "--json"],
        PUBLISH: [*release, "publish", "--json", *(["--force"] if force else [])],
        EXPIRE: [*release, "expire", "--json"],
        CHECK: [*release, "check", "--json"],
    }


async def refresh(target: Target, say: Callable[[str], None], *, force: bool = False) -> Recommended:
    """Trains, publishes, tidies up and checks; stops at the first job that fails.

    Args:
        force: publish also what the gate refuses.

    Raises:
        NotInPlace: Spark is not on this machine.
    """
    done = Recommended()
    with tempfile.TemporaryDirectory(dir=target.layout.folder) as folder:
        environment = settings(target, Path(folder))
        for name, command in commands(force=force).items():
            say(f"{SENTENCES[name]}: python -m {' '.join(command[2:])}".capitalize())
            ran = await job.run(name, command, environment, say)
            done.jobs.append(ran)
            if ran.code:
                break
    return done


def settings(target: Target, folder: Path) -> dict[str, str]:
    """The environment of these jobs: that of the lake's, and where the table is."""
    return {
        **warehouse.settings(target, folder),
        "CADABRA_DYNAMODB_ENDPOINT": target.dynamodb,
        "CADABRA_SPARK_LOG_LEVEL": "ERROR",
        **_SMALL_ALS,
    }


def rows(done: Recommended) -> Iterator[tuple[str, str]]:
    """Label and value of everything found, for people."""
    trained = done.answer(TRAIN)
    if trained:
        counted = trained["subjects"]
        # Of the same lake the digest is the same, whatever the version's name.
        yield "version, and what begins its lists' digest", f"{trained['version']}, {trained['digest'][:12]}"
        yield (
            "customers, products, countries with lists",
            f"{counted['customer']:,}, {counted['product']:,}, {counted['country']:,}",
        )
        for name, chosen in trained["choice"]["lists"].items():
            yield f"{name.replace('_', ' ')}, chosen on the last weeks", _chosen(chosen)
    for ran in done.jobs:
        took = f"{ran.elapsed_s:.1f} s, {ran.cpu_s:.0f} s of CPU, {ran.peak_bytes / 2**20:,.0f} MB"
        yield SENTENCES[ran.name], took


def _chosen(chosen: dict[str, Any]) -> str:
    """The winner and what it won by, beside the best of the yardsticks."""
    candidates = chosen["candidates"]
    yardstick = max(value["ndcg"] for name, value in candidates.items() if name.startswith(_YARDSTICK))
    winner = chosen["winner"]
    return f"{winner}, NDCG@10 {candidates[winner]['ndcg']:.3f} (popularity {yardstick:.3f})"


def told(done: Recommended) -> Iterator[str]:
    """The verdict, and what failed where something did."""
    for ran in done.jobs:
        if ran.code:
            yield f"FAILED: {SENTENCES[ran.name]} ended with {ran.code}"
            yield from (f"  {line}" for line in ran.told)
    if not done.code:
        yield "recommendations: the version in service is whole, item by item"


def main(arguments: list[str]) -> int:
    """Prints what was done and found; a failed job's exit code."""
    parser = argparse.ArgumentParser(prog="deploy.local recommend", description=__doc__)
    parser.add_argument("--force", action="store_true", help="publish also what the gate refuses")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    chosen = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr if chosen.json else sys.stdout, flush=True)

    try:
        done = asyncio.run(refresh(Target.current(), say, force=chosen.force))
    except (NotRunning, NotInPlace) as error:
        say(f"FAILED: {error}")
        return 1
    for label, value in rows(done):
        say(f"  {label:<44}{value}")
    for line in told(done):
        say(line)
    if chosen.json:
        print(json.dumps(done.as_json(), indent=1))
    return done.code
