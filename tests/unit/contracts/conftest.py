"""A copy of the contracts in a repository of its own, to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts import catalog

SERVICES = ("order_ingest", "order_file_ingest", "dynamodb_writer", "storefront", "kernel")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The folder of contracts inside a repository that has every service's folder, and nothing else."""
    root = tmp_path / "contracts"
    for part in ("schemas", "streams", "tables", "examples", "generated"):
        shutil.copytree(catalog.ROOT / part, root / part)
    for service in SERVICES:
        (tmp_path / "services" / service).mkdir(parents=True)
        (tmp_path / "services" / service / "__init__.py").touch()
    return root
