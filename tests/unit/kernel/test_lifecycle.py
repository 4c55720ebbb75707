"""The life of a service, seen from outside: ready, draining, exit codes, and no content in its logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SECRET = "4111-1111-1111-1111"
DEADLINE_S = 20.0


@dataclass
class Service:
    """One running process of lifecycle_service.py."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def start(self, behaviour: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.kernel.lifecycle_service"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "CADABRA_BEHAVIOUR": behaviour,
                "CADABRA_READY_FILE": str(self.ready_file),
                "CADABRA_STOP_TIMEOUT_S": "15",
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def ready_file(self) -> Path:
        return self.folder / "ready.json"

    def until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + DEADLINE_S
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, "not ready"
            time.sleep(0.01)
        self.ports = json.loads(self.ready_file.read_text())

    def get(self, path: str) -> int:
        url = f"http://127.0.0.1:{self.ports['metrics_port']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for its end: exit code and log lines; its content is in none of them."""
        assert self.process is not None
        output = self.process.communicate(timeout=DEADLINE_S)[0]
        assert SECRET not in output
        return self.process.returncode, [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.wait()


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_ends_with_0(service: Service, number: signal.Signals) -> None:
    service.start("drain")
    service.until_ready()
    assert service.process is not None
    assert service.ports["pid"] == service.process.pid
    assert [service.get(path) for path in ("/readyz", "/healthz", "/metrics", "/")] == [200, 200, 200, 404]
    service.signal(number)
    code, lines = service.end()
    assert code == 0
    assert events(lines) == ["ready", "stopping", "ended"]
    assert lines[0]["metrics_port"] == service.ports["metrics_port"]
    assert {line["service"] for line in lines} == {"lifecycle_service"}


def test_it_is_not_ready_from_the_moment_it_is_asked_to_stop(service: Service) -> None:
    service.start("slow")
    service.until_ready()
    service.signal()
    deadline = time.monotonic() + DEADLINE_S
    while service.get("/readyz") != 503:
        assert time.monotonic() < deadline
    assert service.get("/healthz") == 200
    service.signal()
    code, lines = service.end()
    assert code == 75
    assert events(lines) == ["ready", "stopping", "not_drained"]


@pytest.mark.parametrize("behaviour", ["slow", "stuck"])
def test_a_drain_that_takes_too_long_ends_with_75(service: Service, behaviour: str) -> None:
    service.start(behaviour, CADABRA_STOP_TIMEOUT_S="0.2")
    service.until_ready()
    service.signal()
    code, _ = service.end()
    assert code == 75


@pytest.mark.parametrize(
    ("behaviour", "expected", "event"),
    [
        ("misconfigured", 78, "misconfigured"),
        ("missing", 69, "unavailable"),
        ("away", 69, "unavailable"),
        ("group", 69, "unavailable"),
        ("bug", 70, "bug"),
        ("group with a bug", 70, "bug"),
        ("done", 0, "ready"),
    ],
)
def test_how_it_ends_is_its_exit_code(service: Service, behaviour: str, expected: int, event: str) -> None:
    service.start(behaviour)
    code, lines = service.end()
    assert (code, events(lines)) == (expected, [event, "ended"])
    assert service.ready_file.exists() == (behaviour == "done")


def test_a_wrong_setting_is_told_in_one_line(service: Service) -> None:
    service.start("drain", CADABRA_PORT="x", CADABRA_STOP_TIMEOUT_S="-1")
    code, lines = service.end()
    assert code == 78
    (line,) = lines
    assert len(line["problems"]) == 2


def test_a_taken_port_is_a_wrong_setting(service: Service, tmp_path: Path) -> None:
    service.start("drain")
    service.until_ready()
    (tmp_path / "second").mkdir()
    second = Service(tmp_path / "second")
    second.start("drain", CADABRA_METRICS_PORT=str(service.ports["metrics_port"]))
    code, lines = second.end()
    assert code == 78
    assert "CADABRA_METRICS_PORT" in lines[0]["problems"][0]
    service.signal()
    assert service.end()[0] == 0


def test_a_failure_while_draining_is_a_bug(service: Service) -> None:
    service.start("fails while draining")
    service.until_ready()
    service.signal()
    code, lines = service.end()
    assert code == 70
    assert "lifecycle_service.py" in lines[-2]["error"]["stack"][-1]


def test_a_task_that_fails_unheard_is_logged_without_its_words(service: Service) -> None:
    service.start("forgotten task")
    service.until_ready()
    service.signal()
    code, lines = service.end()
    assert code == 0
    assert "unhandled_in_loop" in events(lines)
