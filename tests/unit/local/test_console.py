"""Commands of the console over the platform that runs here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.local import console
from deploy.local.layout import Layout

ENDPOINTS = {
    "namespace": "shop",
    "engines": {"aws": {"url": "http://127.0.0.1:1"}, "opensearch": {"url": "http://127.0.0.1:2"}},
}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("CADABRA_LOCAL_DIR", str(tmp_path))
    return Layout.current()


def test_the_command_is_told_where_everything_is(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.endpoints_file.parent.mkdir(parents=True, exist_ok=True)
    layout.endpoints_file.write_text(json.dumps(ENDPOINTS))
    layout.state_file.parent.mkdir(parents=True, exist_ok=True)
    layout.state_file.write_text(json.dumps({"run_id": "x"}))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a real one")
    ran: list[Any] = []

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append((command[1:], how["env"]))
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(subprocess, "run", run)
    assert console.main(["query", "course"]) == 7
    ((command, environment),) = ran
    assert command == ["-m", "services.console", "query", "course"]
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    told = {name: value for name, value in environment.items() if name.startswith("CADABRA_")}
    del told["CADABRA_LOCAL_DIR"]
    assert told == {
        "CADABRA_NAMESPACE": "shop",
        "CADABRA_QUESTION_ENGINE": "duckdb",
        "CADABRA_GLUE_ENDPOINT": "http://127.0.0.1:1",
        "CADABRA_S3_ENDPOINT": "http://127.0.0.1:1",
        "CADABRA_SNS_ENDPOINT": "http://127.0.0.1:1",
        "CADABRA_OPENSEARCH_ENDPOINT": "http://127.0.0.1:2",
    }


def test_without_a_platform_it_says_how_to_start_one(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.main(["query", "course"]) == console.NOT_RUNNING
    assert "make up" in capsys.readouterr().err
