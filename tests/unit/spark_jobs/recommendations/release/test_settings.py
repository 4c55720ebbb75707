"""What the release is told, how it ends, and that its README tells the truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from contracts import catalog
from services.kernel.adapters.dynamodb import MAX_ITEM_BYTES, MAX_ITEMS_PER_BATCH_WRITE
from services.kernel.core.settings import load, markdown
from spark_jobs import exit_codes
from spark_jobs.recommendations.release import __main__ as command
from spark_jobs.recommendations.release import comparing, expiry, gate, inspection, manifest, pointer, table
from spark_jobs.recommendations.release.settings import TABLE, Settings

ROOT = Path(__file__).parents[5]
README = (ROOT / "spark_jobs/recommendations/release/README.md").read_text("utf-8")


def test_the_readmes_settings_are_the_commands() -> None:
    assert markdown(Settings) in README


def test_the_readmes_exit_codes_are_the_commands() -> None:
    assert all(f"| {code} |" in README for code in {0, *exit_codes.ALL})


def test_the_readme_names_every_command_and_option() -> None:
    [commands] = [
        action for action in command._parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    assert set(commands.choices) == {"publish", "rollback", "versions", "expire", "check"}
    for name, parser in commands.choices.items():
        assert f"`{name}" in README
        for action in parser._actions:
            options = [option for option in action.option_strings if option not in ("-h", "--help")]
            assert all(f"{option}" in README for option in options)


def test_the_readmes_numbers_are_the_codes() -> None:
    assert f"{gate.KEPT_NDCG:.0%}" in README
    assert f"{gate.KEPT_SUBJECTS:.0%}" in README
    assert f"| records named of those at fault | {inspection.MOST_NAMED} |" in README
    assert f"| subjects named of each kind of difference | {comparing.MOST_NAMED} |" in README
    assert f"| an item | {MAX_ITEM_BYTES:,} bytes |" in README
    assert f"| items in one batch | {MAX_ITEMS_PER_BATCH_WRITE} |" in README
    assert f"| versions remembered as rolled back from | {pointer.MAX_WITHDRAWN} |" in README
    assert f"| segments of a scan | {table.SEGMENTS} |" in README
    assert f"| versions kept of a kind | {command.KEPT} |" in README
    hours = expiry.UNFINISHED_FOR.total_seconds() / 3600
    assert f"| a training without manifest | {hours:.0f} h |" in README
    assert all(document in README for document in manifest.DOCUMENTS)


def test_the_table_is_the_contracts() -> None:
    declared = catalog.load().tables[TABLE]
    assert declared.range
    assert (declared.hash.name, declared.range.name) == ("subject", "version")
    settings = load(Settings, {"CADABRA_NAMESPACE": "shop-eu"})
    assert (settings.table, settings.bucket) == ("shop-eu-recommendations", "shop-eu-lake")


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"CADABRA_NAMESPACE": "No", "CADABRA_PUBLISH_CONCURRENCY": "0"}, 78),
        (
            {
                "CADABRA_S3_ENDPOINT": "http://127.0.0.1:1",
                "CADABRA_DYNAMODB_ENDPOINT": "http://127.0.0.1:1",
                "CADABRA_PUBLISH_PATIENCE_S": "0",
            },
            75,
        ),
    ],
)
def test_a_command_says_why_it_failed(
    environment: dict[str, str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert command.main(["versions", "--json"]) == code
    told = capsys.readouterr()
    assert "error" in json.loads(told.out)
    assert told.err


@pytest.mark.parametrize("arguments", [[], ["expire", "--keep", "0"], ["expire", "--keep", "x"], ["flip"]])
def test_what_is_no_command_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err
