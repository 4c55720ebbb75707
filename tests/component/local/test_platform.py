"""The platform as its users handle it: up, status, down, and what remains when things are killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import probe, processes
from tests.component.local.platforms import Platform, until

SLEEPER = """
[[services]]
name = "{name}"
module = "tests.component.local.sleeper"
api = true
after = {after}
rate = ["handled_total"]
environment = {{ SLEEPER_MODE = "{mode}" }}
"""


def sleepers(folder: Path, engines: tuple[str, ...], modes: dict[str, str]) -> Platform:
    """A platform of services that do nothing, each after the one before it, by name and mode."""
    rows, names = [f"engines = {json.dumps(engines)}"], list(modes)
    for number, name in enumerate(names):
        rows.append(SLEEPER.format(name=name, mode=modes[name], after=json.dumps(names[:number])))
    plan_file = folder / "plan.toml"
    plan_file.write_text("\n".join(rows))
    return Platform(folder, plan_file)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Makes platforms; nothing of them is left after the test."""
    made: list[Platform] = []

    def make(engines: tuple[str, ...] = (), **modes: str) -> Platform:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(sleepers(folder, engines, modes))
        return made[-1]

    yield make
    for one in made:
        one.remove()


def test_up_status_down(platform: Callable[..., Platform]) -> None:
    one = platform(("kinesis", "dynamodb", "opensearch"), first="", second="")
    assert one.command("status")[0] == 3

    code, output = one.command("up", "--plan", str(one.plan))
    assert code == 0, output
    assert [line.split()[2] for line in output.splitlines() if " ready" in line][3:] == ["first", "second"]

    status = one.status()
    assert status["state"] == "up"
    assert [row["name"] for row in status["engines"]] == ["kinesis", "dynamodb", "opensearch"]
    for row in status["engines"] + status["services"]:
        assert (row["state"], row["restarts"]) == ("ready", 0)
        assert row["pid"] in {process.pid for process in one.left()}
        assert row["url"].startswith("http://127.0.0.1:")
        assert row["uptime_s"] > 0
        assert row["rss_bytes"] > 1_000_000
        assert row["cpu_percent"] is not None
    assert status["services"][0]["rate_per_s"] == 0.0
    assert one.command("status")[0] == 0

    for process in one.left():
        for address in processes.listening_addresses(process.pid):
            assert address.startswith("127.0.0.1:"), (process, address)

    code, output = one.command("down")
    assert (code, output.splitlines()) == (0, ["draining ...", "down: no process is left"])
    assert one.left() == []
    assert one.command("status")[0] == 3
    assert not one.layout.endpoints_file.exists()


def test_endpoints_are_for_the_owner_alone(platform: Callable[..., Platform]) -> None:
    one = platform(first="")
    one.up()

    document = json.loads(one.layout.endpoints_file.read_text())
    assert set(document["tokens"]) == {"operator", "sender", "analyst"}
    assert probe.answers(document["services"]["first"]["url"])
    secret = [one.layout.endpoints_file, *one.layout.keys.iterdir()]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in secret} == dict.fromkeys(
        ["endpoints.json", "signing.jwk", "jwks.json", "tokens.json", "cursor-secret"], "0o600"
    )
    assert one.layout.keys.stat().st_mode & 0o777 == 0o700


def test_kill_9_of_the_supervisor_leaves_no_process_after_5_s(platform: Callable[..., Platform]) -> None:
    one = platform(("kinesis", "dynamodb"), plain="", parent="child", stubborn="stubborn")
    one.up()
    assert len(one.left()) >= 7  # supervisor, watchdog, two engines, three services, one process of a service

    os.kill(one.supervisor(), signal.SIGKILL)

    until(lambda: not one.left(), timeout_s=5.0)


def test_kill_9_while_it_starts_leaves_no_process_after_5_s(platform: Callable[..., Platform]) -> None:
    one = platform(("kinesis", "dynamodb"), plain="")
    command = one.start("up", "--plan", str(one.plan))
    until(lambda: any(process.command.startswith("node") for process in one.left()))

    os.kill(one.supervisor(), signal.SIGKILL)

    until(lambda: not one.left(), timeout_s=5.0)
    command.communicate(timeout=20)
    assert command.returncode == 1


def test_up_after_a_kill_starts_anew(platform: Callable[..., Platform]) -> None:
    one = platform(first="")
    one.up()
    killed = one.supervisor()
    os.kill(killed, signal.SIGKILL)

    one.up()

    assert one.supervisor() != killed
    assert one.status()["state"] == "up"


def test_down_kills_what_a_service_left_behind_and_says_so(platform: Callable[..., Platform]) -> None:
    one = platform(parent="child")
    one.up()

    _, output = one.command("down")

    assert "was still there and is killed" in output
    assert one.left() == []


def test_two_platforms_run_side_by_side(platform: Callable[..., Platform]) -> None:
    one, other = platform(("dynamodb",), first=""), platform(("dynamodb",), first="")
    one.up()
    other.up()
    assert one.status()["engines"][0]["url"] != other.status()["engines"][0]["url"]

    one.command("down")

    assert one.left() == []
    assert other.status()["state"] == "up"


def test_two_shells_that_say_up_at_once_start_one_platform(platform: Callable[..., Platform]) -> None:
    one = platform(first="")
    both = [one.start("up", "--plan", str(one.plan)) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("already up" in output for output in outputs) == 1
    assert sum("deploy.local.supervisor" in process.command for process in one.left()) == 1


def test_a_service_that_dies_comes_back_at_its_address(platform: Callable[..., Platform]) -> None:
    one = platform(first="", second="")
    one.up()
    before = one.service("first")

    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: one.service("first")["restarts"] == 1 and one.service("first")["state"] == "ready")

    after = one.service("first")
    assert after["pid"] != before["pid"]
    assert after["url"] == before["url"]
    assert one.service("second")["restarts"] == 0


def test_a_misconfigured_service_stops_the_start_and_is_not_tried_again(
    platform: Callable[..., Platform],
) -> None:
    one = platform(first="", second="misconfigured")

    code, output = one.command("up", "--plan", str(one.plan))

    assert code == 1
    assert f"not up: second ended with 78; its log: {one.layout.logs / 'second.log'}" in output
    assert (one.layout.logs / "second.log").read_text() == "SLEEPER_SETTING is not set\n"
    assert one.left() == []


def test_a_module_that_does_not_exist_stops_the_start(platform: Callable[..., Platform]) -> None:
    one = platform(first="")
    one.plan.write_text(one.plan.read_text().replace("tests.component.local.sleeper", "no.such.module"))

    code, output = one.command("up", "--plan", str(one.plan))

    assert (code, "not up: first ended with 1" in output) == (1, True), output
    assert one.left() == []


def test_the_end_of_an_engine_is_told_and_not_hidden(platform: Callable[..., Platform]) -> None:
    one = platform(("dynamodb",), first="")
    one.up()

    os.kill(one.status()["engines"][0]["pid"], signal.SIGKILL)
    until(lambda: one.status()["state"] == "failed")

    status = one.status()
    assert status["message"].startswith("dynamodb has ended, and what it held in memory with it")
    assert one.command("status")[0] == 1
    assert one.command("down")[0] == 0
    assert one.left() == []


def test_an_engine_that_stores_on_disk_comes_back_with_its_data_at_its_address(
    platform: Callable[..., Platform],
) -> None:
    one = platform(("opensearch",), first="")
    one.up()
    before = one.status()["engines"][0]
    put(f"{before['url']}/orders/_doc/1", b'{"quantity": 6}')

    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: one.status()["engines"][0]["restarts"] == 1, timeout_s=60)
    until(lambda: one.status()["engines"][0]["state"] == "ready", timeout_s=60)

    after = one.status()
    assert (after["state"], after["engines"][0]["url"]) == ("up", before["url"])
    assert '"quantity": 6' in str(probe.get(f"{before['url']}/orders/_doc/1"))

    assert one.command("up", "--fresh", "--plan", str(one.plan))[0] == 0
    assert probe.get(f"{one.status()['engines'][0]['url']}/_cat/indices") == ""


def put(url: str, body: bytes) -> None:
    """Store a document."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, body, headers, method="PUT")  # noqa: S310 - http to ourselves
    urllib.request.urlopen(asked, timeout=10).close()  # noqa: S310 - http to ourselves


def test_fresh_starts_anew(platform: Callable[..., Platform]) -> None:
    one = platform(first="")
    one.up()
    before = one.status()["run_id"]

    assert one.command("up", "--fresh", "--plan", str(one.plan))[0] == 0

    assert one.status()["run_id"] != before


def test_an_interrupted_up_leaves_nothing(platform: Callable[..., Platform]) -> None:
    one = platform(("dynamodb",), first="")
    command = one.start("up", "--plan", str(one.plan))
    until(lambda: any(process.command.startswith("java") for process in one.left()))

    command.send_signal(signal.SIGINT)

    command.communicate(timeout=60)
    assert command.returncode == 130
    assert one.left() == []


def test_a_port_of_choice(platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = platform(first=""), platform(first="")
    first.up()
    port = first.service("first")["url"].rpartition(":")[2]
    first.command("down")
    monkeypatch.setenv("CADABRA_FIRST_METRICS_PORT", port)

    second.up()

    assert second.service("first")["metrics_url"].endswith(f":{port}")


def test_a_token_for_a_role(platform: Callable[..., Platform]) -> None:
    one = platform(first="")

    code, output = one.command("token", "--role", "customer", "--subject", "17850")

    assert code == 0
    assert output.count(".") == 2
    assert one.command("token", "--role", "king", "--subject", "x")[0] == 2
