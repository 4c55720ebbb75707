"""`python -m services.console query`: what is wrong usage, without a lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from services.console.sales import query_command, saved
from services.console.sales.weekly import command as weekly_command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--list"),
        (["course", "--sql", "SELECT 1"], "--list"),
        (["nothing"], "one of basket_affinity"),
        (["course", "--param", "year"], "name=value"),
        (["course", "--param", "year=1", "--param", "year=2"], "given once"),
        (["course", "--param", "year=x"], "--param year: a whole number from 1 to 9999"),
        (["course", "--max-rows", "10001"], "1 to 10000"),
        (["--sql", "SELECT * FROM read_text('/etc/passwd')"], "--sql: functions in the place of a table"),
        (["--sql", "DROP TABLE order_lines"], "--sql: one SELECT is taken"),
    ],
)
def test_wrong_usage_is_told(capfd: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert _code(query_command.main, ["query", *arguments]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert words in printed.err


def test_a_week_that_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert _code(weekly_command.main, ["weekly-report", "--week", "2011-W60"]) == 2
    assert "'2011-W60' is no week" in capfd.readouterr().err


def test_the_list_names_every_query_and_parameter(capfd: pytest.CaptureFixture[str]) -> None:
    assert query_command.main(["query", "--list"]) == 0
    printed = capfd.readouterr().out
    for query in saved.queries().values():
        assert f"{query.name}: {query.title}." in printed
        assert all(f"    {one.name}: {one.description}" in printed for one in query.parameters)


def _code(main: Callable[[Sequence[str]], int], arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
