"""The hand on the warehouse: `python -m spark_jobs.warehouse.redshift --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from services.kernel.adapters.postgresql import PostgreSQL
from services.kernel.adapters.redshift import Place, Redshift
from services.kernel.adapters.s3 import S3
from services.kernel.core.errors import CadabraError, InvalidRecord
from services.kernel.core.names import bucket_name
from services.kernel.core.settings import load
from services.kernel.streams.printing import Shown
from spark_jobs import exit_codes
from spark_jobs.warehouse.redshift import dialects
from spark_jobs.warehouse.redshift.files import Files
from spark_jobs.warehouse.redshift.loading import Loading, shown
from spark_jobs.warehouse.redshift.plan import DataAtFault
from spark_jobs.warehouse.redshift.settings import Settings
from spark_jobs.warehouse.redshift.statements import Statements

_MANY = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        told = asyncio.run(_run(options.command))
    except CadabraError as error:
        return _failed(error, options.json)
    print(json.dumps(told.value) if options.json else "\n".join(told.lines))
    if told.problem:
        _say(told.problem)
    return exit_codes.DATA if told.problem else 0


async def _run(command: str) -> Shown:
    settings = load(Settings)
    async with _opened(settings) as loading:
        if command == "load":
            return await _load(loading)
        return await (_check(loading) if command == "check" else _status(loading))


async def _load(loading: Loading) -> Shown:
    report = await loading.load()
    lines = [
        f"loaded {one['run']} in {one['seconds']} s: "
        + ", ".join(f"{rows} {table}" for table, rows in one["rows"].items())
        for one in report.loaded
    ]
    return Shown(asdict(report), lines or [f"nothing new behind {report.newest or 'nothing'}"])


async def _check(loading: Loading) -> Shown:
    differences = await loading.check()
    newest = (await loading.loads())[0].run
    value = {"run": newest, "equal": not differences, "differences": [shown(one) for one in differences]}
    if differences:
        return Shown(value, list(map(str, differences)), f"the warehouse is not what {newest} made it")
    return Shown(value, [f"equal to the lake after {newest}, row by row"])


async def _status(loading: Loading) -> Shown:
    loads = await loading.loads()
    plan, fault = await loading.pending(loads[0].run if loads else None)
    pending = [one.run for one in plan.exports]
    value = {
        "loads": [asdict(one) for one in loads[:_MANY]],
        "pending": pending,
        "passed_over": plan.passed_over,
        "fault": str(fault) if fault else None,
    }
    lines = [f"loaded {one.run} at {one.loaded_at}" for one in loads[:_MANY]] or ["nothing loaded"]
    lines += [f"to load {run}" for run in pending] or ["nothing to load"]
    return Shown(value, [*lines, *([str(fault)] if fault else [])])


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Loading]:
    """Everything that the commands work with."""
    bucket = bucket_name(settings.namespace)
    async with S3.open(settings.s3_endpoint, settings.region) as s3:
        files = Files(s3, bucket)
        if settings.is_postgresql:
            warehouse = PostgreSQL(settings.endpoint or "", files.rows, settings.timeout_s)
            yield Loading(warehouse, files, Statements(settings.schema, bucket, dialects.POSTGRESQL), _say)
            return
        place = Place(
            settings.workgroup or "", settings.database, settings.copy_role_arn or "", settings.secret_arn
        )
        async with Redshift.open(settings.endpoint, settings.region, place, settings.timeout_s) as redshift:
            yield Loading(redshift, files, Statements(settings.schema, bucket, dialects.REDSHIFT), _say)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _failed(error: CadabraError, as_json: bool) -> int:
    code = exit_codes.code_of(error, DataAtFault, InvalidRecord)
    details: dict[str, Any] = error.details if isinstance(error, DataAtFault) else {}
    if as_json:
        print(json.dumps({"error": type(error).__name__, "message": str(error), **details}))
    _say(f"{type(error).__name__}: {error}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spark_jobs.warehouse.redshift",
        description="Load the lake's exports into the warehouse, compare the two, or see what is loaded. Exit codes: "
        "0 done, 65 data at fault (nothing changed), 69 something is missing, 70 a bug, 75 try again, "
        "78 misconfigured.",
    )
    machines = argparse.ArgumentParser(add_help=False)
    machines.add_argument("--json", action="store_true", help="print JSON for machines")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("load", parents=[machines], help="load every export that the warehouse does not have")
    commands.add_parser("check", parents=[machines], help="compare the warehouse with the export loaded last")
    commands.add_parser("status", parents=[machines], help="what is loaded, and what a load would do")
    return parser


if __name__ == "__main__":
    sys.exit(main())
