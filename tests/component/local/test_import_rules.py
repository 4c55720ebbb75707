"""Each import rule refuses what it is there to refuse."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.layout import ROOT

DEPLOYMENT = "Deployment imports the kernel and nothing else of the services"
ROOTS = "Contracts at the bottom, services on them, deployment on top"
SDKS = "Only the adapters import a cloud SDK"
SERVICES = "Services are independent of each other and stand on the kernel"
KERNEL = "In the kernel: provisioning on streams and tailing, those on adapters"
PYFLINK = "Only the Flink jobs import pyflink"
SPARK_JOBS = "Spark jobs import the kernel and nothing else of the services"
SPARK_RUNTIME = "Spark jobs are independent of each other and stand on their runtime"
PYSPARK = "Only the Spark jobs import pyspark"
PLAIN = "The contracts import no other library"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, to break rules in."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("contracts", "services", "flink_jobs", "spark_jobs", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


@pytest.mark.parametrize(
    ("file", "statement", "broken"),
    [
        ("deploy/local/intruder.py", "import services.storefront.api", DEPLOYMENT),
        ("deploy/local/intruder.py", "import boto3", SDKS),
        ("services/storefront/intruder.py", "import botocore", SDKS),
        ("services/storefront/intruder.py", "import services.dynamodb_writer.items", SERVICES),
        ("services/newcomer/__init__.py", "import json", SERVICES),
        ("services/kernel/core/intruder.py", "import services.kernel.adapters.kinesis", KERNEL),
        ("services/kernel/newcomer/__init__.py", "import json", KERNEL),
        ("contracts/intruder.py", "import services.kernel.core.errors", ROOTS),
        ("flink_jobs/intruder.py", "import services.kernel.core.errors", ROOTS),
        ("deploy/local/intruder.py", "import flink_jobs.order_rate_alarm", DEPLOYMENT),
        ("services/storefront/intruder.py", "import pyflink", PYFLINK),
        ("deploy/local/intruder.py", "import spark_jobs.tables", DEPLOYMENT),
        ("spark_jobs/warehouse/intruder.py", "import services.storefront.api", SPARK_JOBS),
        ("spark_jobs/warehouse/intruder.py", "import flink_jobs.tables", SPARK_JOBS),
        ("spark_jobs/warehouse/intruder.py", "import boto3", SDKS),
        ("spark_jobs/warehouse/intruder.py", "import pyflink", PYFLINK),
        ("spark_jobs/newcomer/__init__.py", "import json", SPARK_RUNTIME),
        ("services/storefront/intruder.py", "import pyspark", PYSPARK),
        ("contracts/intruder.py", "import msgspec", PLAIN),
    ],
)
def test_a_broken_rule_is_named(checkout: Path, file: str, statement: str, broken: str) -> None:
    intruder = checkout / file
    intruder.parent.mkdir(exist_ok=True)
    intruder.write_text(statement + "\n")

    result = lint(checkout)

    intruder.unlink()
    if file.endswith("__init__.py"):
        shutil.rmtree(intruder.parent)
    assert result.returncode == 1
    output = " ".join(result.stdout.split())
    assert broken in output
    assert "1 broken" in output


def test_the_rules_hold(checkout: Path) -> None:
    assert lint(checkout).returncode == 0


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the import rules in this folder."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
