"""Fetching the engines, once, through the ordinary clients of npm and Maven, with every file checked.

Standard library only: set-up runs this before any environment exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from deploy.local.engines import manifest

SOURCES = Path(__file__).parent


class FetchFailed(Exception):
    """An engine cannot be fetched, or is not what the manifest says; nothing was put in place."""


def kinesis(work: Path) -> Path:
    """Fetch kinesis-local as its lock file pins it; returns the folder that holds it."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SOURCES / "kinesis" / name, work / name)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], work)
    return work / "node_modules" / "kinesis-local"


def dynamodb(work: Path) -> Path:
    """Fetch DynamoDB Local with everything it needs at run time; returns the folder that holds it."""
    shutil.copy(SOURCES / "dynamodb" / "pom.xml", work / "pom.xml")
    run(["mvn", "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={work / 'lib'}"], work)
    return work / "lib"


def opensearch(work: Path) -> Path:
    """Fetch OpenSearch's smallest distribution and unpack it; returns the folder that holds it."""
    shutil.copy(SOURCES / "opensearch" / "pom.xml", work / "pom.xml")
    run(["mvn", "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={work / 'zip'}"], work)
    (archive,) = (work / "zip").glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(work)
    return work / archive.stem


def spark_jars(work: Path) -> Path:
    """Fetch what Spark needs for the lake; returns the folder that holds the jars."""
    shutil.copy(SOURCES / "spark-jars" / "pom.xml", work / "pom.xml")
    run(["mvn", "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={work / 'jars'}"], work)
    return work / "jars"


def dynamodb_launcher(work: Path, engines: Path) -> Path:
    """Compile our main class for DynamoDB Local; returns the folder of classes."""
    source = SOURCES / "dynamodb" / "LoopbackServer.java"
    classes = work / "classes"
    libraries = f"{engines / 'dynamodb'}/*"
    run(["javac", "--release", "17", "-cp", libraries, "-d", str(classes), str(source)], work)
    (classes / "source.sha256").write_text(manifest.digest(source) + "\n", encoding="utf-8")
    return classes


def fault(name: str, engines: Path) -> str:
    """Why this engine has to be fetched; empty where every file is there as its manifest says."""
    folder = engines / name
    if not folder.is_dir():
        return "not there yet"
    return "; ".join(manifest.faults(folder, SOURCES / name / "SHA256SUMS")[:5])


def launcher_fault(engines: Path) -> str:
    """Why our main class has to be compiled; empty where it was, from the source that is here now."""
    stamp = engines / "dynamodb-launcher" / "source.sha256"
    if not stamp.is_file():
        return "not there yet"
    expected = manifest.digest(SOURCES / "dynamodb" / "LoopbackServer.java")
    return "" if stamp.read_text(encoding="utf-8").strip() == expected else "its source has changed"


def install(name: str, engines: Path, fetch: Callable[[Path], Path]) -> None:
    """Fetch into a folder of its own, check it, and only then put it in place under `engines/<name>`.

    Raises:
        FetchFailed: the client failed or a file differs; what was in place before is untouched.
    """
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=engines) as work:
        fetched = fetch(Path(work).resolve())
        sums = SOURCES / name / "SHA256SUMS"
        if sums.is_file():
            problems = manifest.faults(fetched, sums)
            if problems:
                raise FetchFailed(
                    f"{name}: what was fetched is not what {sums} says: " + "; ".join(problems[:5])
                )
        target, old = engines / name, Path(work) / "old"
        if target.exists():
            target.rename(old)
        fetched.rename(target)


def sweep(engines: Path) -> None:
    """Remove what an interrupted fetch left behind. The caller holds the lock of set-up."""
    for leftover in engines.glob(".fetch-*"):
        shutil.rmtree(leftover)


def run(command: list[str], cwd: Path) -> None:
    """Run a client in this folder.

    Raises:
        FetchFailed: it ended with an error; the last lines that it printed are in the message.
    """
    result = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ,
    )
    if result.returncode:
        last = "\n".join(result.stdout.splitlines()[-15:])
        raise FetchFailed(f"`{' '.join(command)}` ended with {result.returncode}:\n{last}")
