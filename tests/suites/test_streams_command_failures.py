"""How the command line of the consumer group fails: exit code, complaint, and nothing on the output for machines."""

from __future__ import annotations

import argparse
import asyncio
import json

import pytest

from services.kernel.streams import __main__ as command_line
from services.kernel.streams import operator
from services.kernel.streams.__main__ import main
from services.kernel.streams.lease import Lease
from tests.suites.command_stage import APPLICATION, CommandStage, shard

COMMANDS: dict[str, list[str]] = {
    "applications": [],
    "leases": ["APPLICATION"],
    "lag": ["APPLICATION"],
    "release": ["APPLICATION", shard(0)],
    "rewind": ["APPLICATION", "--to", "2026-01-02T03:04:05Z"],
    "resume": ["APPLICATION", shard(0)],
    "accept-loss": ["APPLICATION", shard(0)],
    "rejected": [],
    "rejected list": [],
    "rejected show": ["0" * 32],
    "rejected replay": ["0" * 32],
}
"""Every command with arguments that suit it."""
OF_AN_APPLICATION = [command for command, arguments in COMMANDS.items() if "APPLICATION" in arguments]
NOWHERE = "http://127.0.0.1:1"


def words(command: str, application: str = APPLICATION) -> list[str]:
    """A command as a person types it."""
    return [*command.split(), *(application if word == "APPLICATION" else word for word in COMMANDS[command])]


def _commands_of(parser: argparse.ArgumentParser, before: str = "") -> set[str]:
    found = {before} if before else set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found |= _commands_of(below, f"{before} {name}".strip())
    return found


def test_every_command_of_the_command_line_is_tested_here() -> None:
    assert _commands_of(command_line._parser()) == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


async def test_an_application_that_is_not_there_fails_with_1(stage: CommandStage) -> None:
    for command in OF_AN_APPLICATION:
        code, output, errors = await stage.command(*words(command, "nobody"), "--json")
        assert (code, output) == (1, ""), command
        assert "nobody" in errors
    await stage.dynamodb.delete_table(stage.leases.table)
    for command in OF_AN_APPLICATION:
        code, output, errors = await stage.command(*words(command), "--json")
        assert (code, output) == (1, ""), command
        assert "see `applications`" in errors


@pytest.mark.parametrize("command", COMMANDS)
def test_engines_that_are_away_fail_with_1_and_say_so(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CADABRA_KINESIS_ENDPOINT", NOWHERE)
    monkeypatch.setenv("CADABRA_DYNAMODB_ENDPOINT", NOWHERE)
    for module in ("lease_commands", "rejected_reader"):
        monkeypatch.setattr(f"services.kernel.streams.{module}.PATIENCE_S", 0.1)
    assert main([*words(command), "--json"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Unavailable: ")


@pytest.mark.parametrize("command", ["release", "rewind"])
async def test_a_request_that_nobody_answers_in_time_fails_with_1_and_stays(
    stage: CommandStage, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "PATIENCE_S", 0.0)
    await stage.leases.create(Lease(shard(0), owner="busy"))
    async with asyncio.TaskGroup() as tasks:
        heartbeats = tasks.create_task(_heartbeats(stage))
        code, output, errors = await stage.command(*words(command), "--json")
        heartbeats.cancel()
    assert code == 1
    assert json.loads(output) == [{"shard_id": shard(0), "outcome": "pending"}]
    assert f"not answered yet, the request stays: {shard(0)}" in errors
    [row] = await stage.json("leases", APPLICATION)
    assert (row["release_asked_of"] == "busy", row["rewind_to"] is not None) == (
        command == "release",
        command == "rewind",
    )
    table = (await stage.command("leases", APPLICATION))[1]
    assert ("release" if command == "release" else "rewind AT_TIMESTAMP:1767323045000") in table


async def _heartbeats(stage: CommandStage) -> None:
    """The owner of a lease that keeps it and has no time for requests."""
    while True:
        lease = (await stage.leases.read())[shard(0)]
        await stage.leases.write(lease, lease)
        await asyncio.sleep(0.1)


async def test_for_people_each_change_is_one_clear_line(stage: CommandStage) -> None:
    await stage.leases.create(Lease(shard(0), owner="dead", paused="too bad"))
    assert "too bad" in (await stage.command("leases", APPLICATION))[1]
    assert await stage.command("resume", APPLICATION, shard(0)) == (0, "done\n", "")
    code, output, errors = await stage.command("release", APPLICATION, "--worker", "dead")
    assert (code, output.split(), errors) == (0, ["shard", "outcome", shard(0), "done"], "")
    assert await stage.command("accept-loss", APPLICATION, shard(0)) == (0, "done\n", "")
    code, output, errors = await stage.command("applications")
    assert (code, output.splitlines()[1].split()[0], errors) == (0, APPLICATION, "")
