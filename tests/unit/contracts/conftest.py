"""A copy of the contracts in a repository of its own, to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts import catalog

PLACES = ("streams", "tables", "topics", "indices", "landing", "lake", "warehouse")
PARTIES = (
    "services/order_ingest",
    "services/order_file_ingest",
    "services/dynamodb_writer",
    "services/storefront",
    "services/alarm_notifier",
    "services/log_shipper",
    "services/log_indexer",
    "services/console",
    "services/lake_writer",
    "services/kernel",
    "flink_jobs/order_rate_alarm",
    "spark_jobs/recommendations",
    "spark_jobs/warehouse",
)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The folder of contracts inside a repository that has every service's and job's folder, and nothing else."""
    root = tmp_path / "contracts"
    for part in ("schemas", *PLACES, "examples", "generated"):
        shutil.copytree(catalog.ROOT / part, root / part)
    for party in PARTIES:
        (tmp_path / party).mkdir(parents=True)
        (tmp_path / party / "__init__.py").touch()
    return root
