"""The archive of the Spark jobs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.local import spark_package
from deploy.local.spark import NotInPlace
from deploy.local.spark_package import FOLDER, submission, write


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, written once."""
    return write(tmp_path_factory.mktemp("package") / "spark-jobs.zip")[0]


def test_it_holds_our_code_with_its_documents_and_no_service(archive: Path) -> None:
    names = set(zipfile.ZipFile(archive).namelist())

    assert {
        "contracts/generated/spark/order_line/1.json",
        "contracts/landing/orders.toml",
        "services/kernel/adapters/s3.py",
        "spark_jobs/warehouse/__main__.py",
        "spark_jobs/recommendations/__main__.py",
    } <= names
    assert not any(
        name.startswith(("services/lake_writer", "contracts/examples/", "tests/")) for name in names
    )
    assert not any("__pycache__" in name for name in names)


def test_it_holds_what_the_lock_pins_but_for_what_emr_brings(archive: Path) -> None:
    names = set(zipfile.ZipFile(archive).namelist())

    assert {"aiobotocore/session.py", "psycopg/__init__.py", "six.py"} <= names
    assert {"numpy/__init__.py", "scipy/sparse/__init__.py", "pyarrow/__init__.py"} <= names
    assert not any(name.startswith(("pyspark", "py4j", "pip/")) for name in names)


def test_the_same_code_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one small library: what holds for it holds for those that take seconds to pack."""
    pin = next(
        line for line in spark_package.LOCK.read_text(encoding="utf-8").splitlines() if "six==" in line
    )
    (tmp_path / "small.lock").write_text(pin, encoding="utf-8")
    monkeypatch.setattr(spark_package, "LOCK", tmp_path / "small.lock")

    one, _ = write(tmp_path / "one.zip")
    other, _ = write(tmp_path / "other.zip")

    assert "six.py" in zipfile.ZipFile(one).namelist()
    assert one.read_bytes() == other.read_bytes()


def test_the_kernels_adapter_and_the_contracts_work_from_it(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / FOLDER)
    program = (
        f"import sys; sys.path.insert(0, '{FOLDER}')\n"
        "import services.kernel.adapters.s3 as s3, spark_jobs.tables as t\n"
        "assert s3.__file__.startswith(sys.argv[1]), s3.__file__; print(t.rendered('order_line/1')['type'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "struct\n", done.stderr


def test_each_job_has_a_file_that_starts_it_from_the_archive(archive: Path) -> None:
    for job in ("warehouse", "recommendations"):
        text = (archive.parent / f"{job}.py").read_text(encoding="utf-8")

        assert f'sys.path.insert(0, "{FOLDER}")' in text
        assert f'run_module("spark_jobs.{job}", run_name="__main__")' in text


def test_executors_find_python_and_the_archive(archive: Path, tmp_path: Path) -> None:
    told = str(
        submission("s3://jobs/a.zip", "s3://jobs/recommendations.py", ["train"])["sparkSubmitParameters"]
    )
    settings = dict(part.split("=", 1) for part in told.split() if "=" in part)
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / FOLDER)
    program = "import numpy, pyarrow, scipy.sparse, spark_jobs.recommendations.ranking.model as m; print(m.__file__)"

    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": settings["spark.executorEnv.PYTHONPATH"]},
        capture_output=True,
        text=True,
    )

    assert settings["spark.executorEnv.PYSPARK_PYTHON"] == spark_package.INTERPRETER
    assert done.stdout.startswith(str(tmp_path / FOLDER)), done.stderr


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotInPlace, match="aiobotocore"):
        write(tmp_path / "spark-jobs.zip", site_packages=tmp_path)


def test_a_submission_names_archive_python_and_jar() -> None:
    told = submission("s3://jobs/spark-jobs.zip", "s3://jobs/warehouse.py", ["load"])

    assert f"--conf spark.archives=s3://jobs/spark-jobs.zip#{FOLDER}" in str(told["sparkSubmitParameters"])
    assert f"--conf spark.jars={spark_package.ICEBERG_JAR}" in str(told["sparkSubmitParameters"])
    assert "PYSPARK_PYTHON=/usr/bin/python3.11" in str(told["sparkSubmitParameters"])
    assert (told["entryPoint"], told["entryPointArguments"]) == ("s3://jobs/warehouse.py", ["load"])
