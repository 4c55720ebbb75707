"""What a Flink cluster on this machine is told."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from deploy.local import flink_cluster
from deploy.local.engines import fetch, flink_parts
from deploy.local.flink_cluster import Cluster, NotInPlace


def snapshot(folder: Path, name: str, moment: int) -> Path:
    """A snapshot that was whole at this moment."""
    made = folder / name
    made.mkdir(parents=True)
    (made / "_metadata").touch()
    os.utime(made / "_metadata", (moment, moment))
    return made


def test_the_newest_whole_snapshot_of_any_life_is_taken(tmp_path: Path) -> None:
    cluster = Cluster("job", tmp_path)
    assert cluster.newest_snapshot() is None

    old = snapshot(cluster.checkpoints / "a", "chk-9", 100)
    new = snapshot(cluster.checkpoints / "b", "chk-2", 200)
    (cluster.checkpoints / "b" / "chk-3").mkdir()  # being written when the process was killed
    assert cluster.newest_snapshot() == new

    saved = snapshot(cluster.savepoints, "savepoint-1", 300)
    assert cluster.newest_snapshot() == saved
    assert old.exists()


def test_the_groups_of_a_job_have_this_machines_names() -> None:
    groups = flink_cluster.groups("order_rate_alarm", "eu-west-1", "shop")

    assert groups["orders"]["stream.arn"] == "arn:aws:kinesis:eu-west-1:000000000000:stream/shop-orders"
    assert groups["rejected"]["stream.arn"].endswith(":stream/shop-rejected")
    assert groups["kinesis"] == {"aws.region": "eu-west-1"}


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotInPlace, match="run make setup"):
        Cluster("job", tmp_path, environment=tmp_path / "none").check()

    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").touch()
    with pytest.raises(NotInPlace, match="reporter of metrics is missing"):
        Cluster("job", tmp_path, environment=tmp_path / "venv", engines=tmp_path).check()

    (tmp_path / flink_parts.REPORTER).mkdir()
    (tmp_path / flink_parts.REPORTER / "a.jar").touch()
    with pytest.raises(NotInPlace, match=f"run make setup, with {flink_parts.CONNECTOR_VARIABLE}=<jar>"):
        Cluster("job", tmp_path, environment=tmp_path / "venv", engines=tmp_path).check()


def a_jar(path: Path, offers: str) -> Path:
    """A jar that offers a factory of tables."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/services/org.apache.flink.table.factories.Factory", offers)
    return path


def test_the_connector_that_is_named_is_taken_and_another_one_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = a_jar(tmp_path / "given.jar", "org.example.KinesisFactory\n")
    monkeypatch.setenv(flink_parts.CONNECTOR_VARIABLE, str(jar))
    assert flink_parts.connector_fault(tmp_path) == "not there yet"

    fetch.install(flink_parts.CONNECTOR, tmp_path, flink_parts.connector)
    assert flink_parts.connector_fault(tmp_path) == ""
    assert [path.name for path in flink_parts.connectors(tmp_path)] == ["given.jar"]

    a_jar(jar, "org.example.KinesisFactory2\n")
    assert "another one than" in flink_parts.connector_fault(tmp_path)
    (tmp_path / flink_parts.CONNECTOR / "given.jar").write_bytes(b"broken")
    assert "other content" in flink_parts.connector_fault(tmp_path)


@pytest.mark.parametrize("kind", ["missing", "no jar", "another jar"])
def test_what_is_no_connector_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    jar = tmp_path / "given.jar"
    if kind == "no jar":
        jar.write_text("text")
    if kind == "another jar":
        a_jar(jar, "org.example.KafkaFactory\n")
    monkeypatch.setenv(flink_parts.CONNECTOR_VARIABLE, str(jar))

    with pytest.raises(fetch.FetchFailed, match="which is no"):
        fetch.install(flink_parts.CONNECTOR, tmp_path, flink_parts.connector)
