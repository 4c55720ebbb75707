"""The operator's hand on consumer groups: `python -m services.kernel.streams --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import CadabraError
from services.kernel.core.settings import ServiceSettings, load
from services.kernel.streams import rejected_reader
from services.kernel.streams.lease_table import LeaseTable

EXIT_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except CadabraError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.kernel.streams",
        description="Look at consumer groups and dead letters, resume what paused. Endpoints and namespace come "
        "from the CADABRA_ variables; with `make up` running, `make status` prints them.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    commands = parser.add_subparsers(dest="command", required=True)
    leases = commands.add_parser("leases", help="the leases of an application: owner, checkpoint, pause")
    leases.add_argument("application", help="such as dynamodb_writer")
    resume = commands.add_parser("resume", help="read on a shard that paused after too many rejected records")
    accept = commands.add_parser(
        "accept-loss", help="let the children of a shard start that was gone before it was read to its end"
    )
    for command in (resume, accept):
        command.add_argument("application")
        command.add_argument("shard")
    rejected = commands.add_parser("rejected", help="dead letters: reason, place, size")
    rejected.add_argument("--show", metavar="ID", help="one dead letter whole, its bytes last")
    return parser


async def _run(options: argparse.Namespace) -> int:
    settings = load(ServiceSettings)
    if options.command == "rejected":
        async with Kinesis.open(settings.kinesis_endpoint, settings.region) as kinesis:
            found = await rejected_reader.read_all(kinesis, f"{settings.namespace}-rejected")
        return _show(found, options.show) if options.show else _print(found, _letters(found), options.json)
    async with DynamoDB.open(settings.dynamodb_endpoint, settings.region) as dynamodb:
        table = LeaseTable(dynamodb, f"{settings.namespace}-leases-{options.application}")
        if options.command == "leases":
            rows = [asdict(lease) for _, lease in sorted((await table.read()).items())]
            return _print(rows, _lease_lines(rows), options.json)
        return await _change(table, options)


async def _change(table: LeaseTable, options: argparse.Namespace) -> int:
    change = table.resume if options.command == "resume" else table.accept_loss
    try:
        await change(options.shard)
    except ConditionFailed:
        sys.stderr.write(f"{table.table} has no lease {options.shard}; see the command `leases`\n")
        return EXIT_FAILED
    return _print({"application": options.application, "shard": options.shard}, ["done"], options.json)


def _print(value: Any, lines: Sequence[str], as_json: bool) -> int:
    sys.stdout.write((json.dumps(value) if as_json else "\n".join(lines)) + "\n")
    return 0


def _lease_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [f"{'shard':24} {'owner':58} {'checkpoint':58} paused"]
    for row in rows:
        owner, paused = row["owner"] or "-", row["paused"] or "-"
        lines.append(f"{row['shard_id']:24} {owner:58} {row['checkpoint']:58} {paused}")
    return lines


def _letters(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = [f"{'id':32} {'reason':22} {'bytes':>8} where"]
    for one in found:
        where = one["file"] or one["stream"] or "-"
        place = one["offset"] if one["file"] else one["sequence_number"]
        lines.append(f"{one['rejected_id']:32} {one['reason']:22} {one['size_bytes']:>8} {where}:{place}")
    return lines


def _show(found: Sequence[dict[str, Any]], rejected_id: str) -> int:
    letter = next((one for one in found if one["rejected_id"] == rejected_id), None)
    if letter is None:
        sys.stderr.write(f"no dead letter {rejected_id}; they are kept for 7 days\n")
        return EXIT_FAILED
    data = letter.pop("data")
    sys.stdout.write(json.dumps(letter, indent=2) + "\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
