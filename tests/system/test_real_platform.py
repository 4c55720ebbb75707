"""The platform with its real services: where it listens, that it comes back, and that nothing remains."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import plan, probe, processes
from tests.component.local.platforms import Platform, until


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform, up."""
    one = Platform(tmp_path_factory.mktemp("platform"))
    one.up()
    yield one
    one.remove()


def test_every_engine_and_service_is_ready(everything: Platform) -> None:
    status = everything.status()

    assert status["state"] == "up"
    assert [row["name"] for row in status["engines"]] == list(plan.read().engines)
    assert [row["name"] for row in status["services"]] == [service.name for service in plan.read().services]
    for row in status["services"]:
        assert row["rate_per_s"] is not None
    assert everything.service("dynamodb_writer")["lag_s"] is not None


def test_every_socket_listens_on_loopback(everything: Platform) -> None:
    listening = {process: processes.listening_addresses(process.pid) for process in everything.left()}

    assert sum(map(len, listening.values())) >= 8  # engines 2 and their TLS, APIs 2, health servers 4
    for process, addresses in listening.items():
        assert all(address.startswith("127.0.0.1:") for address in addresses), (process, addresses)


def test_a_test_message_of_an_operator_arrives_at_the_receiver(everything: Platform) -> None:
    found = json.loads(everything.layout.endpoints_file.read_text())
    notifier, receiver = (found["services"][name]["url"] for name in ("alarm_notifier", "webhook_receiver"))
    headers = {"Authorization": f"Bearer {found['tokens']['operator']}"}
    url = f"{notifier}/v1/test-messages"
    asked = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310 - http to ourselves
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - http to ourselves
        message_id = json.loads(answer.read())["message_id"]

    def arrived() -> bool:
        messages = json.loads(probe.get(f"{receiver}/messages") or "{}")["messages"]
        return message_id in [one["body"]["message_id"] for one in messages]

    until(arrived)


def test_a_killed_service_comes_back_at_its_address(everything: Platform) -> None:
    before = everything.service("order_ingest")

    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: everything.service("order_ingest")["restarts"] == 1, timeout_s=60)
    until(lambda: everything.service("order_ingest")["state"] == "ready", timeout_s=60)

    after = everything.service("order_ingest")
    assert (after["url"], after["pid"] != before["pid"]) == (before["url"], True)


def test_down_drains_every_service_and_leaves_no_process(everything: Platform, tmp_path: Path) -> None:
    assert everything.command("down") == (0, "draining ...\ndown: no process is left\n")

    assert everything.left() == []
    for service in plan.read().services:
        last = (everything.layout.logs / f"{service.name}.log").read_text().splitlines()[-1]
        assert '"event": "ended", "code": 0' in last


def test_kill_9_of_the_supervisor_leaves_no_process_after_5_s(everything: Platform) -> None:
    everything.up()

    os.kill(everything.supervisor(), signal.SIGKILL)

    until(lambda: not everything.left(), timeout_s=5.0)
