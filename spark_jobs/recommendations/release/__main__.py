"""The hand on what is recommended: `python -m spark_jobs.recommendations.release --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.s3 import S3
from services.kernel.core.errors import CadabraError, InvalidRecord
from services.kernel.core.retry import Retry
from services.kernel.core.settings import load
from services.kernel.streams.printing import Shown
from spark_jobs import exit_codes
from spark_jobs.recommendations.release import comparing, listing
from spark_jobs.recommendations.release.errors import Unfit
from spark_jobs.recommendations.release.expiry import Expiry
from spark_jobs.recommendations.release.lists import Lists
from spark_jobs.recommendations.release.publishing import Publishing, Release
from spark_jobs.recommendations.release.settings import Settings
from spark_jobs.recommendations.release.table import Table
from spark_jobs.recommendations.release.versions import Versions

KEPT = 3


@dataclass(frozen=True)
class Parts:
    """What the commands work with."""

    versions: Versions
    lists: Lists
    table: Table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        told = asyncio.run(_run(options))
    except CadabraError as error:
        return _failed(error, options.json)
    print(json.dumps(told.value) if options.json else "\n".join(told.lines))
    if told.problem:
        _say(told.problem)
    return exit_codes.DATA if told.problem else 0


async def _run(options: argparse.Namespace) -> Shown:
    began_s = time.monotonic()
    async with _opened(load(Settings)) as parts:
        publishing = Publishing(parts.versions, parts.lists, parts.table, _say)
        match options.command:
            case "publish":
                return _released(await publishing.publish(options.version, options.force))
            case "rollback":
                return _released(await publishing.roll_back(options.version))
            case "versions":
                return await _versions(parts)
            case "expire":
                return await _expired(parts, options.keep, began_s)
        return await _checked(parts, began_s)


def _released(release: Release) -> Shown:
    if not release.changed:
        wrote = f", {release.items} items written anew" if release.items else ""
        return Shown(release.as_json(), [f"no change: {release.version} was in service already{wrote}"])
    instead = f" instead of {release.previous}" if release.previous else ""
    forced = ", forced" if release.forced else ""
    line = f"{release.version} is in service{instead}{forced}; {release.items} items written"
    return Shown(release.as_json(), [line])


async def _versions(parts: Parts) -> Shown:
    serving = await parts.table.pointer()
    found = await listing.listed(parts.versions, serving)
    value = {
        "in_service": asdict(serving) if serving else None,
        "versions": [one.as_json() for one in found],
    }
    return Shown(value, listing.lines(found))


async def _expired(parts: Parts, keep: int, began_s: float) -> Shown:
    expiry = Expiry(parts.versions, parts.table, _say, lambda: datetime.now(UTC))
    gone = await expiry.expire(keep)
    value = {**asdict(gone), "seconds": _seconds_since(began_s)}
    return Shown(value, [f"removed {name}" for name in gone.versions] or ["nothing to remove"])


async def _checked(parts: Parts, began_s: float) -> Shown:
    found = await comparing.compare(parts.versions, parts.lists, parts.table)
    value: dict[str, Any] = {"equal": found.equal, **asdict(found), "seconds": _seconds_since(began_s)}
    if found.equal:
        return Shown(value, [f"{found.version}: all {found.records} items are as in S3, and no others"])
    return Shown(value, list(found.lines()), f"the table does not hold {found.version} as it is in S3")


def _seconds_since(began_s: float) -> float:
    return round(time.monotonic() - began_s, 3)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Parts]:
    retry = Retry(budget_s=settings.patience_s)
    async with (
        S3.open(settings.s3_endpoint, settings.region) as s3,
        DynamoDB.open(settings.dynamodb_endpoint, settings.region) as dynamodb,
    ):
        yield Parts(
            Versions(s3, settings.bucket, retry),
            Lists(s3, settings.bucket, retry),
            Table(dynamodb, settings.table, retry, settings.concurrency),
        )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _failed(error: CadabraError, as_json: bool) -> int:
    code = exit_codes.code_of(error, Unfit, InvalidRecord)
    if as_json:
        details = (
            {"version": error.version, "reasons": list(error.reasons), "forcible": error.forcible}
            if isinstance(error, Unfit)
            else {}
        )
        print(json.dumps({"error": type(error).__name__, "message": str(error), **details}))
    _say(f"{type(error).__name__}: {error}")
    return code


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spark_jobs.recommendations.release",
        description="Bring a version of the recommendations into service or back, see what there is, remove old ones, "
        "compare table and version. Exit codes: 0 done, 65 a version is not fit or table and version differ, "
        "69 something is missing, 70 a bug, 75 try again, 78 misconfigured.",
    )
    machines = argparse.ArgumentParser(add_help=False)
    machines.add_argument("--json", action="store_true", help="print JSON for machines")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[machines], help=text, description=text.capitalize())

    publish = command("publish", "judge a version, write its items, bring it into service")
    publish.add_argument("version", nargs="?", help="the newest that was not rolled back from by default")
    publish.add_argument(
        "--force", action="store_true", help="whatever the gate says; items that are there are written anew"
    )
    back = command("rollback", "bring a published version back into service")
    back.add_argument("version", nargs="?", help="the one that was in service before by default")
    command("versions", "every version, its state and what it reached")
    expire = command("expire", "remove versions that nobody needs any more")
    expire.add_argument(
        "--keep",
        type=_positive,
        default=KEPT,
        help=f"of the published and of the others, by default {KEPT}; those in service now and before stay anyway",
    )
    command("check", "compare the items of the version in service with S3, both ways")
    return parser


if __name__ == "__main__":
    sys.exit(main())
