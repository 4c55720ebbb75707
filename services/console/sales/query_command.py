"""`python -m services.console query`: a saved query, or SQL of one's own, over the lake."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from services.console.sales import engine, output, saved, statement
from services.console.sales.sales import MAX_ROWS, Sales
from services.console.sales.saved import SavedQuery
from services.console.sales.statement import InvalidStatement
from services.console.settings import Settings
from services.kernel.core.errors import CadabraError
from services.kernel.core.http_parameters import InvalidParameter
from services.kernel.core.questions import Answer
from services.kernel.core.settings import load

EXIT_FAILED, EXIT_USAGE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong usage.

    Args:
        arguments: the first one is `query`.
    """
    parser = _parser()
    options = parser.parse_args(arguments[1:])
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    if options.list:
        sys.stdout.write(_listed())
        return 0
    if (options.name is None) == (options.sql is None):
        parser.error("the name of a saved query, or --sql; --list shows the names")
    try:
        answer = asyncio.run(_asked(load(Settings), options))
    except InvalidParameter as error:
        return _failed(f"--param {error.name}: {error.reason}", EXIT_USAGE)
    except InvalidStatement as error:
        return _failed(f"--sql: {error}", EXIT_USAGE)
    except CadabraError as error:
        return _failed(f"{type(error).__name__}: {error}", EXIT_FAILED)
    sys.stdout.write(output.FORMATS[options.format](answer))
    if answer.truncated:
        sys.stderr.write(f"only the first {len(answer.rows):,} rows are shown\n")
    return 0


async def _asked(settings: Settings, options: argparse.Namespace) -> Answer:
    async with engine.opened(settings) as lake:
        sales = Sales(lake, settings.report_timeout_s)
        if options.sql is not None:
            return await sales.sql(statement.checked(options.sql), options.max_rows)
        query = saved.queries().get(options.name)
        if query is None:
            raise InvalidParameter("name", f"one of {', '.join(saved.queries())}")
        return await sales.saved(query, _parameters(options.param), options.max_rows)


def _parameters(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name in found:
            raise InvalidParameter(name[:64], "given once, as name=value")
        found[name] = value
    return found


def _listed() -> str:
    return "\n".join(line for query in saved.queries().values() for line in _described(query))


def _described(query: SavedQuery) -> list[str]:
    shown = [
        f"    {one.name}: {one.description} Takes {one.expected}"
        + (f"; {one.default} if not given." if one.default is not None else ".")
        for one in query.parameters
    ]
    return [f"{query.name}: {query.title}. {query.description}", *shown, ""]


def _failed(why: str, code: int) -> int:
    sys.stderr.write(f"{why}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.console query",
        description="Ask the lake. Where it is comes from the console's settings. Exit codes: 0 done, 1 failed, "
        "2 wrong usage.",
    )
    parser.add_argument("name", nargs="?", help="a saved query")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="of the saved query"
    )
    parser.add_argument(
        "--sql", help="one SELECT in Athena's dialect over " + ", ".join(sorted(statement.TABLES))
    )
    parser.add_argument("--format", choices=sorted(output.FORMATS), default="table", help="default: table")
    parser.add_argument(
        "--max-rows", type=_rows, default=MAX_ROWS, help=f"at most, default and most: {MAX_ROWS}"
    )
    parser.add_argument("--list", action="store_true", help="print the saved queries and their parameters")
    return parser


def _rows(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_ROWS:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {MAX_ROWS}")
    return int(text)
