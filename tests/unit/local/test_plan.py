"""The plan of what runs is data, checked when it is read."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from contracts import catalog
from deploy.local import plan
from deploy.local.layout import ROOT
from services.kernel.core.metrics import Metrics

ROWS = """
[[services]]
name = "b"
module = "b"
after = ["a"]
[[services]]
name = "a"
module = "a"
[[services]]
name = "c"
module = "c"
after = ["a", "b"]
"""

JOB_HOST = "deploy.local.flink_host"
JOBS = [service for service in plan.read().services if service.module == JOB_HOST]


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_services_start_after_what_they_need(tmp_path: Path) -> None:
    waves = plan.read(written(tmp_path, ROWS)).waves()

    assert [[service.name for service in wave] for wave in waves] == [["a"], ["b"], ["c"]]


def test_a_circle_is_refused(tmp_path: Path) -> None:
    circle = ROWS.replace('name = "a"', 'name = "a"\nafter = ["c"]')

    with pytest.raises(ValueError, match="cannot be ordered: b, a, c"):
        plan.read(written(tmp_path, circle))


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="retries"):
        plan.read(written(tmp_path, ROWS + "retries = 3\n"))


def ours() -> list[plan.Service]:
    """The platform's own services; the others only stand in for somebody outside."""
    return [service for service in plan.read().services if service.module.startswith("services.")]


def test_every_service_that_has_a_folder_runs() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}

    assert {service.name for service in ours() if not service.arguments} == folders
    assert {service.module for service in ours()} == {f"services.{name}" for name in folders}


def test_a_command_of_a_service_that_stays_is_named_after_both() -> None:
    for service in ours():
        command = {"maintain": "maintenance"}[service.arguments[0]] if service.arguments else ""
        assert service.name == "_".join(filter(None, [service.module.rpartition(".")[2], command]))


def test_every_job_that_has_a_folder_runs() -> None:
    folders = {path.parent.name for path in (ROOT / "flink_jobs").glob("*/__main__.py")}

    assert {job.name for job in JOBS} == folders
    assert all(job.arguments == (job.name,) for job in JOBS)


def test_every_service_of_the_contracts_runs() -> None:
    whole = catalog.load()
    streams, tables, indices = whole.streams.values(), whole.tables.values(), whole.indices.values()
    named = {name for stream in streams for name in (*stream.producers, *stream.consumers)}
    named |= {name for table in tables for name in (*table.writers, *table.readers)}
    named |= {name for index in indices for name in (*index.writers, *index.readers)}

    assert {service.name for service in ours() if not service.arguments} == {
        name for name in named if (ROOT / "services" / name / "__main__.py").is_file()
    }


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_rates_of_a_job_name_metrics_that_it_declares(job: plan.Service) -> None:
    declared = (ROOT / "flink_jobs" / job.name / "topology.py").read_text()
    prefix = f"flink_taskmanager_job_task_operator_{job.name}_"

    assert all(name.startswith(prefix) for name in job.rate)
    assert all(f'"{name.removeprefix(prefix)}"' in declared for name in job.rate)


@pytest.mark.parametrize(
    "service",
    [service for service in plan.read().services if service.module != JOB_HOST],
    ids=lambda service: str(service.name),
)
def test_rates_and_lags_name_metrics_that_the_service_has(service: plan.Service) -> None:
    module = importlib.import_module(f"{service.module}.metrics" if service in ours() else service.module)
    classes = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Metrics)]
    names = {row["name"] for one in classes if one.service == service.name for row in one.describe()}

    assert {*service.rate, *filter(None, [service.lag])} <= names
    assert service.rate
