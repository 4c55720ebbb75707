"""`python -m services.console report`: what web servers were asked, for a terminal, a browser or a machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.console.logs.search import Logs
from services.console.logs.time_range import DAY_MS, TimeRange, milliseconds
from services.console.logs.tokens import QuerySyntaxError
from services.console.report import page
from services.console.report.collected import MAX_REPORT_DAYS, Report, collect
from services.console.report.terminal import MAX_WIDTH, Terminal
from services.console.settings import Settings
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.errors import CadabraError
from services.kernel.core.settings import load

EXIT_FAILED = 1
_DEFAULT_DAYS = 7


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    to_ms = int(time.time() * 1000) if options.to is None else options.to
    from_ms = to_ms - _DEFAULT_DAYS * DAY_MS if options.since is None else options.since
    if not 0 < to_ms - from_ms <= MAX_REPORT_DAYS * DAY_MS:
        return _failed(f"--from has to be before --to, by at most {MAX_REPORT_DAYS} days")
    try:
        report = asyncio.run(_report(load(Settings), TimeRange(from_ms, to_ms), options.q))
        if options.html is not None:
            options.html.write_text(page.page(report), encoding="utf-8")
    except QuerySyntaxError as error:
        return _failed(f"--q: {error}")
    except (CadabraError, OSError) as error:
        return _failed(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(report.document()) if options.json else _text(report))
    sys.stdout.write("\n")
    return 0


async def _report(settings: Settings, within: TimeRange, query: str) -> Report:
    async with OpenSearch.open(settings.opensearch_endpoint, settings.region) as engine:
        logs = Logs(engine, settings.namespace, settings.report_timeout_s)
        return await collect(logs, within, query, int(time.time() * 1000))


def _text(report: Report) -> str:
    for_people = sys.stdout.isatty()
    width = shutil.get_terminal_size((MAX_WIDTH, 24)).columns if for_people else MAX_WIDTH
    coloured = for_people and "NO_COLOR" not in os.environ
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    return "\n".join(Terminal(width, coloured=coloured).lines(report))


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.console",
        description="Without a command this is the service. Where OpenSearch is, and the namespace, come from "
        "CADABRA_OPENSEARCH_ENDPOINT and CADABRA_NAMESPACE. Exit codes: 0 done, 1 failed, 2 wrong usage.",
    )
    report = parser.add_subparsers(dest="command", required=True).add_parser(
        "report", help="print a summary of the web servers' requests"
    )
    report.add_argument(
        "--from", dest="since", type=_moment, help="RFC 3339 time or date; 7 days before --to"
    )
    report.add_argument("--to", type=_moment, help="RFC 3339 time or date; now")
    report.add_argument("--q", default="", help="query string, such as 'status:404 AND NOT bot:true'")
    report.add_argument("--html", type=Path, help="also write the report, with charts, into this file")
    report.add_argument("--json", action="store_true", help="print JSON for machines")
    return parser


def _moment(text: str) -> int:
    found = milliseconds(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-02 or 2026-01-02T10:00:00Z")
    return found
