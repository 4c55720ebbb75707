"""The zip for Managed Service for Apache Flink: what is in it works where nothing else of this project is."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

from deploy.local import flink_package
from deploy.local.engines import engine, flink_parts
from deploy.local.flink_cluster import ENVIRONMENT

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
sys.path[:] = [path for path in sys.path if path] + ["packages"]
import contracts, flink_jobs
names = ["main"]
for package in (contracts, flink_jobs):
    names += [one.name for one in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
sys.path.append(".")
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(*names)
"""


def written(target: Path) -> Path:
    """The package, with whichever connector is there."""
    return flink_package.write(target, connector=flink_parts.connectors(engine.ENGINES)[0])


def test_everything_in_it_is_imported_in_a_fresh_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path / "job.zip")) as package:
        package.extractall(tmp_path / "fresh")

    result = subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-I", "-c", IMPORT_EVERYTHING],
        cwd=tmp_path / "fresh",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert {"flink_jobs.order_rate_alarm.job", "flink_jobs.runtime", "contracts.validate"} <= set(
        result.stdout.split()
    )


def test_it_has_the_form_that_the_service_takes(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path / "job.zip")) as package:
        names = package.namelist()
        rows = json.loads(package.read("application_properties.json"))

    groups = {row["PropertyGroupId"]: row["PropertyMap"] for row in rows}
    (jar,) = [name for name in names if name.startswith("lib/")]
    assert {name.split("/")[0] for name in names} == {
        "main.py",
        "lib",
        "packages",
        "application_properties.json",
        "requirements.txt",
    }
    assert groups["kinesis.analytics.flink.run.options"] == {"python": "main.py", "jarfile": jar}
    assert not any("credentials" in key or "endpoint" in key for group in groups.values() for key in group)


def test_the_same_code_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (written(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))

    assert first == second
