"""`python -m services.console weekly-report`: the week's report, written into a file."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.console.charts.rendering import png, svg
from services.console.sales import engine
from services.console.sales.sales import Sales
from services.console.sales.weekly import charts, page
from services.console.sales.weekly.collected import Weekly, collect
from services.console.sales.weekly.week import Week
from services.console.settings import Settings
from services.kernel.core.errors import CadabraError
from services.kernel.core.settings import load

EXIT_FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong usage.

    Args:
        arguments: the first one is `weekly-report`.
    """
    options = _parser().parse_args(arguments[1:])
    try:
        weekly = asyncio.run(_collected(load(Settings), options.week, options.currency))
        file = options.out if options.out is not None else options.folder / f"{weekly.week}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page.page(weekly), encoding="utf-8")
        if options.charts is not None:
            _draw(weekly, options.charts)
    except (CadabraError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_FAILED
    sys.stdout.write(f"{file}\n")
    return 0


async def _collected(settings: Settings, week: Week | None, currency: str | None) -> Weekly:
    async with engine.opened(settings) as lake:
        sales = Sales(lake, settings.report_timeout_s)
        return await collect(sales, week, currency, int(time.time() * 1000))


def _draw(weekly: Weekly, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, specification in charts.specifications(weekly).items():
        (folder / f"{name}.svg").write_text(svg(specification), encoding="utf-8")
        (folder / f"{name}.png").write_bytes(png(specification))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.console weekly-report",
        description="Write the week's report as one HTML file and print its path. Exit codes: 0 done, 1 failed, "
        "2 wrong usage.",
    )
    parser.add_argument("--week", type=_week, help="such as 2011-W48; the last one that is over in the data")
    parser.add_argument("--currency", help="of all money in it; the one with most orders in the week")
    parser.add_argument("--out", type=Path, help="the file")
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="for <week>.html where --out is not given"
    )
    parser.add_argument("--charts", type=Path, help="folder to write each chart into too, as SVG and PNG")
    return parser


def _week(text: str) -> Week:
    try:
        return Week.named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
