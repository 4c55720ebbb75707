"""Who is measured: our consumer group, async-kinesis from an environment of its own, and why not KCL."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local import bench_peers
from deploy.local.engines import manifest

ROOT = Path(__file__).parents[2]
OURS, ASYNC_KINESIS = "ours", "async-kinesis 3.0.1"
KCL = "amazon-kclpy 3.2.0"
KCL_JAR = "software.amazon.kinesis:amazon-kinesis-client-multilang:3.5.3"
_MAVEN_TIMEOUT_S = 90


@dataclass(frozen=True, slots=True)
class Participant:
    """One consumer: how it is called in the table, and how a worker of it is started."""

    name: str
    python: str
    module: str
    own_lease_table: bool = False


def participants() -> list[Participant]:
    """Everybody who can be started here; `bench_peers.put_in_place` comes first."""
    return [
        Participant(OURS, sys.executable, "bench.consumer.ours", own_lease_table=True),
        Participant(ASYNC_KINESIS, str(bench_peers.PYTHON), "bench.consumer.async_kinesis"),
    ]


def why_not_kcl() -> str:
    """Why KCL is not measured: Maven's own words about the jar that its Python part starts.

    Asked once and kept in the peers' environment until its lock changes.
    """
    note = bench_peers.ENVIRONMENT.folder / f"kcl-{manifest.digest(bench_peers.LOCK)[:12]}.txt"
    if not note.exists():
        note.write_text(_ask_maven(), encoding="utf-8")
    return note.read_text(encoding="utf-8")


def _ask_maven() -> str:
    command = ["mvn", "-B", "-U", "-q", "dependency:get", f"-Dartifact={KCL_JAR}", "-Dtransitive=false"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not measured: {KCL_JAR}: {error}"
    if asked.returncode == 0:
        return f"not measured: {KCL_JAR} is served, but this bench has no worker for it yet"
    return f"not measured: {_sentence(asked.stdout)}"


def _sentence(output: str) -> str:
    """The part of Maven's message that names what is missing, on one line and without addresses."""
    lines = [line.partition("[ERROR]")[2].strip() for line in output.splitlines() if "[ERROR]" in line]
    said = " ".join(lines)
    missing = re.search(r"Could not find artifact \S+", said)
    without_addresses = re.sub(r"(in |\()?https?://\S+", "", missing[0] if missing else said)
    return without_addresses[:400].strip() or "Maven ended with an error and no message"
