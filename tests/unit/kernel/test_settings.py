"""Settings: every problem at once, secrets nowhere, a table for the README."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import ServiceSettings, describe, load, main, markdown, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    limit: int = setting("CADABRA_LIMIT", default=10, minimum=1, maximum=100, help="how many")
    share: float = setting("CADABRA_SHARE", default=0.5, minimum=0, help="how much | of it")
    key: str = setting("CADABRA_KEY", secret=True, pattern=r"[a-z]{8}", help="what nobody sees")
    folder: Path = setting("CADABRA_FOLDER", help="where the files are")
    follow: bool = setting("CADABRA_FOLLOW", default=False, help="whether it goes on")


GOOD = {"CADABRA_KEY": "abcdefgh", "CADABRA_FOLDER": "/data"}


def test_values_have_their_types() -> None:
    env = {
        **GOOD,
        "CADABRA_LIMIT": "100",
        "CADABRA_SHARE": "0",
        "CADABRA_FOLLOW": "TRUE",
        "CADABRA_PORT": "80",
    }
    settings = load(Settings, env)
    assert (settings.limit, settings.share, settings.follow) == (100, 0.0, True)
    assert (settings.folder, settings.port) == (Path("/data"), 80)


def test_defaults_apply_and_empty_is_not_set() -> None:
    settings = load(Settings, {**GOOD, "CADABRA_LIMIT": "", "CADABRA_KINESIS_ENDPOINT": ""})
    assert settings.limit == 10
    assert settings.kinesis_endpoint is None
    assert settings.namespace == "cadabra"
    assert settings.jwks_file is None


def test_every_problem_is_told_at_once() -> None:
    env = {
        "CADABRA_KEY": "SECRET!",
        "CADABRA_LIMIT": "101",
        "CADABRA_SHARE": "nan",
        "CADABRA_FOLLOW": "perhaps",
        "CADABRA_PORT": "x",
        "CADABRA_LOG_LEVEL": "LOUD",
        "CADABRA_KINESIS_ENDPOINT": "127.0.0.1:4567",
    }
    with pytest.raises(Misconfigured) as raised:
        load(Settings, env)
    problems = str(raised.value).splitlines()
    assert sorted(problem.split(":")[0].split(" ")[0] for problem in problems) == sorted(
        [*env, "CADABRA_FOLDER"]
    )
    assert "SECRET!" not in str(raised.value)
    assert "CADABRA_LIMIT: '101' is above 100" in problems


def test_secrets_are_not_in_repr() -> None:
    assert "abcdefgh" not in repr(load(Settings, GOOD))


def test_an_alias_is_taken_when_the_first_name_is_not_set() -> None:
    assert load(Settings, {**GOOD, "AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
    both = {**GOOD, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"}
    assert load(Settings, both).region == "eu-west-2"


def test_two_processes_have_two_instance_names() -> None:
    assert load(Settings, GOOD).instance != load(Settings, GOOD).instance


def test_the_table_says_type_bounds_default_and_meaning() -> None:
    rows = {row["env"]: row for row in describe(Settings)}
    assert rows["CADABRA_LIMIT"] == {
        "env": "CADABRA_LIMIT",
        "type": "int, 1 to 100",
        "default": "`10`",
        "help": "how many",
    }
    assert rows["CADABRA_FOLDER"]["default"] == "required"
    assert rows["CADABRA_INSTANCE"]["default"] == "host, pid and a random part"
    table = markdown(Settings)
    assert "how much \\| of it" in table
    assert table.count("\n") == len(rows) + 2


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["services.kernel.core.settings:ServiceSettings"]) == 0
    assert "| `CADABRA_NAMESPACE` |" in capsys.readouterr().out
    assert main([]) == 64
