"""The report in a terminal, in a pipe and for machines."""

from __future__ import annotations

import asyncio
import json
import os
import pty

import pytest

from services.console.report import words
from tests.component.console import reporting
from tests.component.console.conftest import Console
from tests.component.console.reporting import REAL_DAYS


async def test_in_a_pipe_it_is_plain_and_says_what_was_asked_for(console: Console) -> None:
    code, printed, _ = await reporting.run(console, REAL_DAYS)
    assert code == 0
    assert "\x1b" not in printed
    lines = printed.splitlines()
    assert max(map(words.width, lines)) <= 100
    assert lines[0] == "Web requests  2015-05-17 00:00 to 2015-05-21 00:00 UTC"
    first = {line.split()[0]: line for line in reversed(lines) if line}
    assert first["requests"].split()[:2] == ["requests", "10,000"]
    assert first["/favicon.ico"].split()[1:4] == ["807", "8.1", "%"]
    assert first["/favicon.ico"].endswith("█" * 16)
    assert first["2xx"].split()[:3] == ["2xx", "success", "9,170"]
    at = lines.index(next(line for line in lines if line.startswith("Not found")))
    assert lines[at + 1].split()[:2] == ["/files/logstash/logstash-1.3.2-monolithic.jar", "61"]


async def test_in_a_terminal_it_has_colours_unless_they_are_not_wanted(console: Console) -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal, inside = pty.openpty()
        try:
            reader = asyncio.create_task(asyncio.to_thread(_read, terminal))
            code, _, complained = await reporting.run(console, REAL_DAYS, inside, **environment)
            os.close(inside)
            assert (code, complained) == (0, "")
            assert (b"\x1b[1m" in await reader) is coloured
        finally:
            os.close(terminal)


def _read(terminal: int) -> bytes:
    """Everything that is written into a terminal until nobody has it open any more."""
    found = b""
    while True:
        try:
            found += os.read(terminal, 65_536)
        except OSError:  # Linux says EIO at the end
            return found


async def test_for_machines_it_has_the_numbers_of_the_api(console: Console) -> None:
    code, printed, _ = await reporting.run(console, (*REAL_DAYS, "--json", "--q", "status:404"))
    found = json.loads(printed)
    summary = await console.found("/v1/logs/summary", q="status:404")
    assert code == 0
    assert {name: found[name] for name in summary} == summary
    assert [day["day"] for day in found["days"]] == ["2015-05-17", "2015-05-18", "2015-05-19", "2015-05-20"]
    assert (
        sum(day["visitors"]["address_and_agent"] for day in found["days"])
        >= found["visitors"]["address_and_agent"]
    )


async def test_a_range_longer_than_a_week_is_reported(console: Console) -> None:
    code, printed, _ = await reporting.run(console, ("--from", "2015-03-01", "--to", "2015-06-01", "--json"))
    assert (code, json.loads(printed)["total"]) == (0, 10_000)


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--from", "2015-01-01", "--to", "2015-06-01"), 1, "at most 92 days"),
        (("--from", "2015-06-01", "--to", "2015-05-01"), 1, "before --to"),
        ((*REAL_DAYS, "--q", "nobody:1"), 1, "at character 1: there is no field nobody"),
        ((*REAL_DAYS, "--html", "/nowhere/report.html"), 1, "FileNotFoundError"),
        (("--from", "yesterday"), 2, "is no time"),
    ],
)
async def test_what_cannot_be_reported_is_said(
    console: Console, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    found, printed, complained = await reporting.run(console, arguments)
    assert (found, printed) == (code, "")
    assert complaint in complained


async def test_without_opensearch_it_fails_with_a_reason(console: Console) -> None:
    code, _, complained = await reporting.run(
        console, REAL_DAYS, CADABRA_OPENSEARCH_ENDPOINT="http://127.0.0.1:9"
    )
    assert code == 1
    assert complained.startswith("Unavailable: ")
