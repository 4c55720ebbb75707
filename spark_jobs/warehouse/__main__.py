"""The warehouse's Spark job: `python -m spark_jobs.warehouse load|check|export|maintain`, see the README beside it."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from services.kernel.core import settings
from spark_jobs import exit_codes, runtime
from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.warehouse.check import check
from spark_jobs.warehouse.errors import Unfit, translated
from spark_jobs.warehouse.handing_over import export_whole
from spark_jobs.warehouse.lake import Lake
from spark_jobs.warehouse.load import load
from spark_jobs.warehouse.maintenance import maintain
from spark_jobs.warehouse.settings import WarehouseSettings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spark_jobs.warehouse",
        description="Order lines from the landing into the lake, once, and the star that is made of them.",
        epilog="Exit codes: 0 done, 65 data at fault, 69 no bucket, 70 a bug, 75 try again, 78 misconfigured.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    told = {
        "load": "take in what has landed, audit it, show it",
        "check": "audit what everybody sees; change nothing",
        "export": "write an export of all rows, for a warehouse that lacks earlier ones; change nothing",
        "maintain": "compact, expire snapshots, remove what nobody needs; change no row",
    }
    for name, text in told.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="print what was done as JSON on stdout")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        result = _run(options.command, progress)
    except Exception as error:  # noqa: BLE001 - the one place where every way to fail becomes an exit code
        known = translated(error)
        if known is None:
            traceback.print_exc()
            return exit_codes.BUG
        print(f"{type(known).__name__}: {known}", file=sys.stderr)
        return exit_codes.code_of(known, Unfit)
    if options.json:
        print(json.dumps(result))
    return 0


def _run(command: str, progress: Progress) -> dict[str, Any]:
    found = settings.load(WarehouseSettings)
    with progress.phase("session"):
        spark = runtime.session(f"warehouse {command}", found)
    try:
        lake, objects = Lake(spark, found), Objects(found)
        commands: dict[str, Callable[[], dict[str, Any]]] = {
            "load": lambda: load(lake, objects, progress),
            "check": lambda: check(lake, objects, progress),
            "export": lambda: export_whole(lake, objects, progress),
            "maintain": lambda: maintain(lake, objects, found, progress),
        }
        return commands[command]()
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(main())
