"""The archive of the Spark jobs for EMR Serverless: `make spark-package`.

```
contracts, services/kernel, spark_jobs   our code with the documents that it reads
aiobotocore, psycopg, ...                what requirements/spark.lock pins, but for what EMR brings itself
```

One zip for `spark.archives`, unpacked beside the driver and beside every executor, and one file for each job that
starts it from there. Executors of the recommendations run Python too: they find our code, NumPy, SciPy and pyarrow in
the same place. The same code and the same pins give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path

from deploy.local.layout import ROOT, Layout
from deploy.local.spark import PYTHON, NotInPlace

JOBS = {"warehouse": ["load", "--json"], "recommendations": ["train", "--json"]}
"""Every job, and the command that is run of it day by day."""
FOLDER = "packages"
"""Where driver and executors find the archive unpacked, below their working directories."""
ICEBERG_JAR = "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar"
"""Source: Amazon EMR Serverless User Guide, "Using Apache Iceberg with EMR Serverless"."""
RELEASE = "emr-spark-8.0.0"
INTERPRETER = "/usr/bin/python3.11"
"""The libraries' compiled parts are for this one. Source: Amazon EMR Release Guide, emr-spark-8.0.0: 3.11 to 3.13."""
LOCK = ROOT / "requirements" / "spark.lock"
_BROUGHT_BY_EMR = {"pyspark", "py4j"}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_CODE = ("contracts", "services/kernel", "spark_jobs")
_DOCUMENTS = {".py", ".json", ".toml"}
# Of an installed library what the installer wrote: it differs from one installation to the next.
_INSTALLERS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
# What a library brings for those who build or test it.
_NOT_RUN = {"__pycache__", "tests", "include"}
_MAIN = """\
import runpy
import sys

sys.path.insert(0, "{folder}")
runpy.run_module("spark_jobs.{job}", run_name="__main__")
"""
# One time for all: the same code gives the same bytes.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def write(target: Path, site_packages: Path | None = None) -> tuple[Path, dict[str, Path]]:
    """Write the archive and, beside it, what starts each job.

    Args:
        target: the zip; replaced if it is there.
        site_packages: of the Python that holds the libraries; None for the one that set-up brought.

    Returns:
        archive, and entry point by job.

    Raises:
        NotInPlace: a library of the lock is not there, or another version of it.
    """
    files = {**_ours(), **_libraries(site_packages or _site_packages())}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            # The compiled libraries are most of it; packing them harder takes a minute and saves a tenth.
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)
    entry_points = {job: target.with_name(f"{job}.py") for job in JOBS}
    for job, entry_point in entry_points.items():
        entry_point.write_text(_MAIN.format(folder=FOLDER, job=job), encoding="utf-8")
    return part.replace(target), entry_points


def submission(archive: str, entry_point: str, arguments: list[str]) -> dict[str, object]:
    """What a job run of EMR Serverless is told.

    Args:
        archive, entry_point: URLs in S3.
        arguments: of the command, such as `load --json`.
    """
    # Without spark.submit.pyFiles: the code reads documents beside it, which a zip on the path would not give it.
    parameters = {
        "spark.archives": f"{archive}#{FOLDER}",
        "spark.jars": ICEBERG_JAR,
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": INTERPRETER,
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": INTERPRETER,
        "spark.executorEnv.PYSPARK_PYTHON": INTERPRETER,
        "spark.executorEnv.PYTHONPATH": FOLDER,
        # Spark's ALS names in each task all of its steps before, one within the other.
        "spark.driver.extraJavaOptions": "-Xss4m",
        "spark.executor.extraJavaOptions": "-Xss4m",
    }
    return {
        "releaseLabel": RELEASE,
        "entryPoint": entry_point,
        "entryPointArguments": arguments,
        "sparkSubmitParameters": " ".join(f"--conf {key}={value}" for key, value in parameters.items()),
        "environment": "spark.emr-serverless.driverEnv.<NAME> for CADABRA_NAMESPACE and AWS_REGION",
    }


def _ours() -> dict[str, Path]:
    found = {"services/__init__.py": ROOT / "services" / "__init__.py"}
    for folder in _CODE:
        paths = (path for path in (ROOT / folder).rglob("*") if path.suffix in _DOCUMENTS and path.is_file())
        found |= {path.relative_to(ROOT).as_posix(): path for path in paths}
    return {name: path for name, path in found.items() if not name.startswith("contracts/examples/")}


def _libraries(site_packages: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, version in _PIN.findall(LOCK.read_text(encoding="utf-8")):
        if name not in _BROUGHT_BY_EMR:
            found |= {
                path.relative_to(site_packages).as_posix(): path
                for path in _files(site_packages, name, version)
            }
    return found


def _files(site_packages: Path, name: str, version: str) -> Iterator[Path]:
    installed = _installed(site_packages, name)
    if installed is None or installed.version != version:
        raise NotInPlace(f"{name} {version} is not in {site_packages}: run make setup")
    for file in installed.files or []:
        path = Path(str(file.locate())).resolve()
        theirs = path.name in _INSTALLERS and path.parent.name.endswith(".dist-info")
        if not path.is_relative_to(site_packages) or theirs:
            continue
        if not _NOT_RUN.intersection(path.relative_to(site_packages).parts):
            yield path


def _installed(site_packages: Path, name: str) -> Distribution | None:
    context = DistributionFinder.Context(name=name, path=[str(site_packages)])
    return next(iter(MetadataPathFinder.find_distributions(context)), None)


def _site_packages() -> Path:
    found = next(iter(sorted(PYTHON.parent.parent.glob("lib/python*/site-packages"))), None)
    if found is None:
        raise NotInPlace(f"{PYTHON} is missing: run make setup")
    return found.resolve()


def main(arguments: list[str] | None = None) -> int:
    """Write the archive and say how a job is started from it; 1 with one line where a part is missing."""
    parser = argparse.ArgumentParser(prog="deploy.local.spark_package", description=main.__doc__)
    default = Layout.current().folder / "spark-jobs.zip"
    parser.add_argument("--out", type=Path, default=default, help=f"the zip (default: {default})")
    parser.add_argument("--s3", default="s3://<bucket>/jobs", help="where both files will be put")
    options = parser.parse_args(arguments)
    try:
        archive, entry_points = write(options.out)
    except NotInPlace as error:
        print(f"no package: {error}", file=sys.stderr)
        return 1
    print(f"{archive} ({archive.stat().st_size / 2**20:.1f} MiB)")
    for job, entry_point in entry_points.items():
        told = submission(f"{options.s3}/{archive.name}", f"{options.s3}/{entry_point.name}", JOBS[job])
        print(f"{entry_point}\n{json.dumps(told, indent=2)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
