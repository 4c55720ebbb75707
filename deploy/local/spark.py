"""What a Spark job needs on this machine: the Python that holds Spark, and an environment that names the rest.

Everything listens on 127.0.0.1, everything that Spark puts aside is below one folder.
"""

from __future__ import annotations

from pathlib import Path

from deploy.local.engines import engine
from deploy.local.engines.launch import HOST
from deploy.local.layout import ROOT

PYTHON = ROOT / ".venv-spark" / "bin" / "python"
JARS = engine.ENGINES / "spark-jars"


class NotInPlace(Exception):
    """A part of Spark is not on this machine; the message says which, and what brings it."""


def environment(folder: Path) -> dict[str, str]:
    """What to add to a job's environment, beside endpoints and credentials, before it is run by `PYTHON`.

    Args:
        folder: for what Spark puts aside while it runs; it may be removed afterwards.

    Raises:
        NotInPlace: Spark or its jars are not there.
    """
    for needed in (PYTHON, JARS):
        if not needed.exists():
            raise NotInPlace(f"{needed} is missing: run make setup")
    return {
        "CADABRA_SPARK_MASTER": "local[2]",
        "CADABRA_SPARK_JARS": str(JARS),
        "SPARK_LOCAL_DIRS": str(folder.resolve()),
        "SPARK_LOCAL_IP": HOST,
        "PYTHONPATH": str(ROOT),
        # What executors run, where a job has them run Python.
        "PYSPARK_PYTHON": str(PYTHON),
    }
