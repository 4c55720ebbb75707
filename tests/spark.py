"""Runs a program in the Python that holds Spark."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import aiobotocore.session

from deploy.local import processes, spark
from deploy.local.layout import ROOT
from tests.engines import Engines, local_environment

PROGRAMS = ROOT / "tests" / "spark_programs"


async def run(program: str, aws: str, namespace: str, folder: Path) -> Any:
    """Run a program over a lake of this namespace and wait until it ends.

    Args:
        program: file of `tests/spark_programs`; it is given `folder`, and writes `result.json` there.
        aws: URL of S3 and Glue.

    Returns:
        what it wrote.

    Raises:
        RuntimeError: it failed; its output is in the message.
    """
    await make_bucket(aws, f"{namespace}-lake")
    environment = {
        **local_environment(Engines("", "", "", aws=aws)),
        **spark.environment(folder / "spark"),
        "HOME": os.environ.get("HOME", str(folder)),
        "CADABRA_NAMESPACE": namespace,
    }
    result = await asyncio.to_thread(
        subprocess.run,
        [spark.PYTHON, PROGRAMS / program, folder],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=processes.die_with_parent,
    )
    if result.returncode:
        raise RuntimeError(
            f"{program} ended with {result.returncode}:\n{result.stdout}{result.stderr}"[-6000:]
        )
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


async def make_bucket(url: str, name: str) -> None:
    """Make a bucket of the test's own."""
    async with aiobotocore.session.get_session().create_client("s3", endpoint_url=url) as s3:
        await s3.create_bucket(Bucket=name)


async def glue_table(url: str, database: str, name: str) -> dict[str, Any]:
    """A table of the Glue Data Catalog."""
    async with aiobotocore.session.get_session().create_client("glue", endpoint_url=url) as glue:
        return dict((await glue.get_table(DatabaseName=database, Name=name))["Table"])
