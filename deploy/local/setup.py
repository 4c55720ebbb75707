"""Set-up: the Python environment and the engines, fetched once, checked every time.

Standard library only, for it runs on the system's python3.11. Safe to interrupt, to repeat and to run twice.
"""

from __future__ import annotations

import argparse
import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.engines import debian, fetch, flink_parts, manifest

ROOT = Path(__file__).parents[2]
ENGINES = ROOT / ".engines"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that must be in place.

    Args:
        fault: why it has to be put in place; empty where it is.
        lane: steps of one lane go one after another, lanes go side by side.
        without: what goes without it, where it is no fault of the set-up that it cannot be had; else empty.
    """

    title: str
    fault: Callable[[], str]
    put_in_place: Callable[[], None]
    lane: str = ""
    without: str = ""


def steps(root: Path, engines: Path) -> list[Step]:
    """Everything that set-up puts in place, in order."""
    environment = Environment(root / ".venv", root / "requirements" / "dev.lock")
    flink = Environment(root / ".venv-flink", root / "requirements" / "flink.lock")
    aws = Environment(root / ".venv-aws", root / "requirements" / "aws-engines.lock")
    spark = Environment(root / ".venv-spark", root / "requirements" / "spark.lock")
    postgresql = Environment(root / ".venv-postgresql", root / "requirements" / "postgresql.lock")
    return [
        Step("Python environment", environment.fault, environment.build),
        Step(
            "Kinesis engine",
            lambda: fetch.fault("kinesis", engines),
            lambda: fetch.install("kinesis", engines, fetch.kinesis),
        ),
        Step(
            "DynamoDB engine",
            lambda: fetch.fault("dynamodb", engines),
            lambda: fetch.install("dynamodb", engines, fetch.dynamodb),
        ),
        Step(
            "DynamoDB launcher",
            lambda: fetch.launcher_fault(engines),
            lambda: fetch.install(
                "dynamodb-launcher", engines, lambda work: fetch.dynamodb_launcher(work, engines)
            ),
        ),
        Step(
            "OpenSearch engine",
            lambda: fetch.fault("opensearch", engines),
            lambda: fetch.install("opensearch", engines, fetch.opensearch),
        ),
        Step("Flink environment", flink.fault, flink.build, "flink"),
        Step(
            "Flink reporter",
            lambda: flink_parts.reporter_fault(engines),
            lambda: fetch.install(
                flink_parts.REPORTER, engines, lambda work: flink_parts.reporter(work, flink.folder)
            ),
            "flink",
        ),
        Step(
            "Flink connector, stand-in",
            lambda: flink_parts.standin_fault(engines),
            lambda: fetch.install(
                flink_parts.STANDIN, engines, lambda work: flink_parts.standin(work, flink.folder)
            ),
            "flink",
        ),
        Step(
            "Flink connector",
            lambda: flink_parts.connector_fault(engines),
            lambda: fetch.install(flink_parts.CONNECTOR, engines, flink_parts.connector),
            "flink",
        ),
        Step("SNS, S3 and Glue engine", aws.fault, aws.build),
        Step("Spark environment", spark.fault, spark.build, "spark"),
        Step(
            "Spark's jars for the lake",
            lambda: fetch.fault("spark-jars", engines),
            lambda: fetch.install("spark-jars", engines, fetch.spark_jars),
            "spark",
        ),
        Step("PostgreSQL engine", postgresql.fault, postgresql.build, "postgresql"),
        *(_program(name, engines) for name in ("apache2", "chromium")),
    ]


def _program(name: str, engines: Path) -> Step:
    """A program that only tests need, and who runs the platform may lack."""
    return Step(
        f"{name}, for tests",
        lambda: debian.first_fault(name, engines),
        lambda: debian.ensure_once(name, engines),
        "debian",
        without="the tests that need it will ask for it again",
    )


@dataclass(frozen=True, slots=True)
class Environment:
    """The virtual environment that the lock file describes.

    A note inside says which lock it was built from; another stands there while it is being built, so that a
    build that was interrupted is started again from nothing.
    """

    folder: Path
    lock: Path

    def fault(self) -> str:
        """Why it has to be built; empty where it was, whole, from the lock as it is now."""
        if not (self.folder / "bin" / "python").exists():
            return "not there yet"
        if (self.folder / "unfinished").exists():
            return "an earlier build was interrupted"
        stamp = self.folder / "built-from.sha256"
        if not stamp.is_file() or stamp.read_text(encoding="utf-8").strip() != manifest.digest(self.lock):
            return "built from another lock file"
        return ""

    def build(self) -> None:
        """Create it where it is missing or unfinished, then install what the lock names, by hash."""
        unfinished = self.folder / "unfinished"
        if unfinished.exists() or not (self.folder / "bin" / "python").exists():
            self._run([sys.executable, "-m", "venv", "--clear", str(self.folder)])
        unfinished.touch()
        python = str(self.folder / "bin" / "python")
        self._run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(self.lock)]
        )
        stamp = self.folder / "built-from.sha256"
        stamp.write_text(manifest.digest(self.lock) + "\n", encoding="utf-8")
        unfinished.unlink()

    def _run(self, command: list[str]) -> None:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if result.returncode:
            raise fetch.FetchFailed(f"`{' '.join(command)}` ended with {result.returncode}:\n{result.stdout}")


def run(root: Path, engines: Path, quiet: bool) -> None:
    """Put in place what is not; `quiet` says nothing about what already is.

    Raises:
        FetchFailed: a step failed; the steps before it are in place and stay so.
    """
    engines.mkdir(exist_ok=True)
    started = time.monotonic()
    with only_one(engines / "lock"):
        fetch.sweep(engines)
        wanted = steps(root, engines)
        labelled = [(step, f"[{number}/{len(wanted)}] {step.title}") for number, step in enumerate(wanted, 1)]
        lanes = sorted({step.lane for step in wanted})
        with ThreadPoolExecutor(len(lanes)) as pool:
            walks = [
                pool.submit(walk, [pair for pair in labelled if pair[0].lane == lane], quiet)
                for lane in lanes
            ]
        for each in walks:
            each.result()
    if not quiet:
        print(f"set-up complete ({time.monotonic() - started:.1f} s)")


def walk(labelled: list[tuple[Step, str]], quiet: bool) -> None:
    """Put the steps of one lane in place, in order; the first that fails ends it."""
    for step, label in labelled:
        take(step, label, quiet)


def take(step: Step, label: str, quiet: bool) -> None:
    """Put one step in place where it is not, and say what was done, why and how long it took."""
    started = time.monotonic()
    fault = step.fault()
    if fault:
        print(f"{label}: {fault}: working ...", flush=True)
        try:
            step.put_in_place()
        except fetch.FetchFailed as failure:
            if not step.without:
                raise
            print(f"{label}: left out, {step.without}: {failure}", flush=True)
            return
    if fault or not quiet:
        outcome = "in place" if fault else "already there"
        print(f"{label}: {outcome} ({time.monotonic() - started:.1f} s)", flush=True)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold the lock file; a second set-up waits here until the first is done."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up of this checkout is running: waiting for it ...", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str] | None = None) -> int:
    """Set up; 1 with one message on failure. The prerequisites were checked before."""
    parser = argparse.ArgumentParser(prog="deploy.local.setup", description=run.__doc__)
    parser.add_argument("--quiet", action="store_true", help="say nothing about what is already there")
    parser.add_argument(
        "--engines", type=Path, default=ENGINES, help="folder of the engines (default: .engines)"
    )
    options = parser.parse_args(arguments)
    try:
        run(ROOT, options.engines.resolve(), options.quiet)
    except fetch.FetchFailed as failure:
        print(f"set-up failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
