"""The job's specification says what its code does."""

from __future__ import annotations

from pathlib import Path

from services.kernel.core import settings
from spark_jobs.settings import SparkSettings
from spark_jobs.warehouse import settings as warehouse_settings
from spark_jobs.warehouse.settings import WarehouseSettings

README = Path(warehouse_settings.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_every_setting_of_its_own_is_listed() -> None:
    of_every_job = {row["env"] for row in settings.describe(SparkSettings)}
    rows = [
        line
        for line in settings.markdown(WarehouseSettings).splitlines()[2:]
        if line.split("`")[1] not in of_every_job
    ]

    assert len(rows) == 3
    assert all(row in README for row in rows)
