"""What Flink needs beside its own libraries: a Kinesis connector, and a reporter of metrics that stays on loopback.

The connector is Flink's own, from CADABRA_FLINK_CONNECTOR_JAR or from Maven Central. Where it cannot be had, ours
stands in: the same options, for the engine of this machine alone.

Standard library only: set-up runs this before any environment exists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from deploy.local.engines import fetch, manifest

CONNECTOR_VARIABLE = "CADABRA_FLINK_CONNECTOR_JAR"
CONNECTOR_COORDINATES = "org.apache.flink:flink-sql-connector-aws-kinesis-streams:6.0.1-2.0"
CONNECTOR, STANDIN, REPORTER = "flink-connector", "flink-standin", "flink-reporter"
_NOT_SERVED = "not-served.txt"
_SOURCES = fetch.SOURCES / "flink"
_STANDIN_SOURCES = fetch.SOURCES / "flink_standin"
_REPORTER_SOURCE = _SOURCES / "LoopbackPrometheusReporterFactory.java"
REPORTER_CLASS = "org.apache.flink.metrics.prometheus.LoopbackPrometheusReporterFactory"
_FACTORY = "META-INF/services/org.apache.flink.table.factories.Factory"


def libraries(environment: Path) -> Path:
    """Flink itself inside its Python environment."""
    return environment / "lib" / "python3.11" / "site-packages" / "pyflink"


# The connector


def connector_fault(engines: Path) -> str:
    """Why the connector has to be fetched; empty where it is there, whole, and the one that is asked for."""
    folder, given = engines / CONNECTOR, os.environ.get(CONNECTOR_VARIABLE)
    if (folder / _NOT_SERVED).is_file() and not given:
        return ""
    stamp = folder / "connector.sha256"
    if not stamp.is_file():
        return "not there yet"
    expected, _, name = stamp.read_text(encoding="utf-8").strip().partition("  ")
    jar = folder / name
    if not jar.is_file() or manifest.digest(jar) != expected:
        return f"{name} has other content than when it was fetched"
    if given and Path(given).is_file() and manifest.digest(Path(given)) != expected:
        return f"another one than {CONNECTOR_VARIABLE} names"
    return ""


def connector(work: Path) -> Path:
    """Fetch Flink's own connector: from where the environment says, else from Maven Central; returns its folder.

    Where Maven does not serve it the folder holds a note instead of the jar, so that not every set-up asks again.

    Raises:
        FetchFailed: what the environment names is no connector.
    """
    folder = work / "connector"
    folder.mkdir()
    given = os.environ.get(CONNECTOR_VARIABLE)
    if given:
        _copy(Path(given), folder)
    elif not _from_maven(work, folder):
        return folder
    (jar,) = folder.glob("*.jar")
    (folder / "connector.sha256").write_text(f"{manifest.digest(jar)}  {jar.name}\n", encoding="utf-8")
    return folder


def _copy(jar: Path, folder: Path) -> None:
    """Take the jar that somebody has; that it is a connector shows in what it offers to Flink."""
    if not jar.is_file():
        raise fetch.FetchFailed(f"{CONNECTOR_VARIABLE} names {jar}, which is no file")
    try:
        with zipfile.ZipFile(jar) as archive:
            offered = archive.read(_FACTORY).decode()
    except (zipfile.BadZipFile, KeyError):
        offered = ""
    if "kinesis" not in offered.lower():
        raise fetch.FetchFailed(f"{CONNECTOR_VARIABLE} names {jar}, which is no Kinesis connector of Flink")
    shutil.copy(jar, folder / jar.name)


def _from_maven(work: Path, folder: Path) -> bool:
    """Ask Maven; whether it had it."""
    shutil.copy(_SOURCES / "pom.xml", work / "pom.xml")
    try:
        fetch.run(["mvn", "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], work)
    except fetch.FetchFailed as failure:
        (folder / _NOT_SERVED).write_text(f"{failure}\n", encoding="utf-8")
        print(
            f"Maven does not serve {CONNECTOR_COORDINATES}: ours stands in. With {CONNECTOR_VARIABLE}=<jar> it is "
            f"taken from there; to ask again, remove .engines/{CONNECTOR}",
            flush=True,
        )
        return False
    return True


def standin_fault(engines: Path) -> str:
    """Why the stand-in has to be compiled; empty where it was, from the sources that are here now."""
    stamp = engines / STANDIN / "sources.sha256"
    if not stamp.is_file():
        return "not there yet"
    return (
        "" if stamp.read_text(encoding="utf-8").strip() == _standin_digest() else "its sources have changed"
    )


def standin(work: Path, environment: Path) -> Path:
    """Compile the stand-in against Flink's libraries; returns the folder that holds its jar."""
    classes, folder = work / "classes", work / "standin"
    folder.mkdir()
    sources = [str(path) for path in sorted(_STANDIN_SOURCES.rglob("*.java"))]
    libraries_of_flink = f"{libraries(environment) / 'lib'}/*"
    fetch.run(["javac", "--release", "17", "-cp", libraries_of_flink, "-d", str(classes), *sources], work)
    services = _STANDIN_SOURCES / "META-INF"
    with zipfile.ZipFile(folder / "cadabra-kinesis-standin.jar", "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
        for path in sorted(path for path in services.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(_STANDIN_SOURCES))
    (folder / "sources.sha256").write_text(_standin_digest() + "\n", encoding="utf-8")
    return folder


def _standin_digest() -> str:
    """One sum over all sources."""
    files = sorted(path for path in _STANDIN_SOURCES.rglob("*") if path.is_file())
    named = "".join(f"{manifest.digest(path)}  {path.relative_to(_STANDIN_SOURCES)}\n" for path in files)
    return hashlib.sha256(named.encode()).hexdigest()


# The reporter


def reporter_fault(engines: Path) -> str:
    """Why the reporter has to be compiled; empty where it was, from the source that is here now."""
    stamp = engines / REPORTER / "source.sha256"
    if not stamp.is_file():
        return "not there yet"
    expected = manifest.digest(_REPORTER_SOURCE)
    return "" if stamp.read_text(encoding="utf-8").strip() == expected else "its source has changed"


def reporter(work: Path, environment: Path) -> Path:
    """Compile our reporter and put it with Flink's own into one jar; returns the folder that holds it."""
    flink = libraries(environment)
    (original,) = (flink / "plugins" / "metrics-prometheus").glob("*.jar")
    classes, folder = work / "classes", work / "reporter"
    folder.mkdir()
    classpath = f"{flink / 'lib'}/*:{original}"
    fetch.run(["javac", "--release", "17", "-cp", classpath, "-d", str(classes), str(_REPORTER_SOURCE)], work)
    shutil.copy(original, folder / original.name)
    with zipfile.ZipFile(folder / "loopback-prometheus-reporter.jar", "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
        archive.writestr(
            "META-INF/services/org.apache.flink.metrics.reporter.MetricReporterFactory", REPORTER_CLASS + "\n"
        )
    (folder / "source.sha256").write_text(manifest.digest(_REPORTER_SOURCE) + "\n", encoding="utf-8")
    return folder


def jars(engines: Path, name: str) -> list[Path]:
    """The jars of one part; none where it is not there."""
    return sorted((engines / name).glob("*.jar"))


def connectors(engines: Path) -> list[Path]:
    """The Kinesis connectors that are there, the one to prefer first."""
    return jars(engines, CONNECTOR) + jars(engines, STANDIN)
