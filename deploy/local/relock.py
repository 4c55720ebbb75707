"""Pins libraries and engines anew: `make lock`. What it writes is committed; no lock file names where it came from."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local.engines import fetch, manifest
from deploy.local.layout import ROOT

_COMPILE = (
    "--allow-unsafe",
    "--generate-hashes",
    "--strip-extras",
    "--no-emit-find-links",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--quiet",
)


def libraries() -> None:
    """Pin what the .in files ask for, with a hash for every file."""
    for name in ("core", "dev", "flink", "aws-engines", "spark", "postgresql", "bench-peers"):
        command = [sys.executable, "-m", "piptools", "compile", *_COMPILE]
        command += [f"--output-file=requirements/{name}.lock", f"requirements/{name}.in"]
        subprocess.run(command, cwd=ROOT, check=True)


def engines() -> None:
    """Pin what package.json and pom.xml ask for, and put down the sums of what comes."""
    npm = ["npm", "install", "--package-lock-only", "--ignore-scripts"]
    subprocess.run(npm, cwd=fetch.SOURCES / "kinesis", check=True)
    bringers = {
        "kinesis": fetch.kinesis,
        "dynamodb": fetch.dynamodb,
        "opensearch": fetch.opensearch,
        "spark-jars": fetch.spark_jars,
    }
    for name, bring in bringers.items():
        with tempfile.TemporaryDirectory() as work:
            manifest.write(fetch.SOURCES / name / "SHA256SUMS", bring(Path(work).resolve()))


def main() -> int:
    """Pin everything; look at the difference before committing it."""
    libraries()
    engines()
    return subprocess.run(
        ["git", "diff", "--stat", "requirements", "deploy"], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
