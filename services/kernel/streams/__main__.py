"""The operator's hand on consumer groups: `python -m services.kernel.streams --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contracts import catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import CadabraError, MissingResource
from services.kernel.core.settings import load
from services.kernel.streams import lease_commands, rejected_commands
from services.kernel.streams.lease_commands import CommandFailed, Context, OperatorSettings
from services.kernel.streams.printing import Shown
from services.kernel.streams.rejected_replay import NotReplayable

EXIT_FAILED = 1
_COMMANDS = {
    "applications": lease_commands.applications,
    "leases": lease_commands.leases,
    "lag": lease_commands.lag,
    "release": lease_commands.release,
    "rewind": lease_commands.rewind,
    "resume": lease_commands.resume,
    "accept-loss": lease_commands.accept_loss,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        shown = asyncio.run(_run(options))
    except (CommandFailed, NotReplayable) as error:
        return _failed(str(error))
    except MissingResource as error:
        return _failed(f"{error}: no such application or stream in this namespace; see `applications`")
    except (CadabraError, OSError) as error:
        return _failed(f"{type(error).__name__}: {error}")
    sys.stdout.write((json.dumps(shown.value) if options.json else "\n".join(shown.lines)) + "\n")
    return 0 if shown.problem is None else _failed(shown.problem)


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return EXIT_FAILED


async def _run(options: argparse.Namespace) -> Shown:
    settings = load(OperatorSettings)
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, data_plane=settings.data_plane
        ) as dynamodb,
    ):
        if options.command == "rejected":
            return await rejected_commands.run(kinesis, catalog.load(), settings, options)
        context = Context(settings, catalog.load(), kinesis, dynamodb)
        return await _COMMANDS[options.command](context, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.kernel.streams",
        description="Look at consumer groups and dead letters, and change what they do. Endpoints and namespace "
        "come from the CADABRA_ variables; with `make up` running, `make status` prints them. "
        "Exit codes: 0 done, 1 failed, 2 wrong usage.",
    )
    parser.add_argument("--json", action="store_true", default=False, help="print JSON for machines")
    machines = argparse.ArgumentParser(add_help=False)
    # Without a default here: the value given before the command must not be overwritten.
    machines.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for machines"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, about: str, *arguments: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about, parents=[machines])
        for argument in arguments:
            made.add_argument(argument, help="such as dynamodb_writer" if argument == "application" else None)
        return made

    command("applications", "The applications of the namespace: stream, leases, owners.")
    command(
        "leases",
        "The leases of an application: owner, checkpoint, lag, deaths, pause, requests.",
        "application",
    )
    command("lag", "How far an application is behind, by shard; unread shards count.", "application")
    release = command(
        "release",
        "Have a lease handed back, drained. Its worker takes none for two lease times, so that the others have it; "
        "the lease of a worker that is gone is freed.",
        "application",
    )
    which = release.add_mutually_exclusive_group(required=True)
    which.add_argument("shard", nargs="?")
    which.add_argument("--worker", metavar="OWNER", help="all leases of this worker; see `leases`")
    _add_rewind(command)
    command("resume", "Read on a shard that paused after too many rejected records.", "application", "shard")
    command(
        "accept-loss",
        "Let the children of a shard start that was gone before it was read to its end.",
        "application",
        "shard",
    )
    _add_rejected(command, machines)
    return parser


def _add_rewind(command: Callable[..., argparse.ArgumentParser]) -> None:
    rewind = command(
        "rewind",
        "Have an application read again while it runs. Nothing is left out, whatever is asked for; sinks see "
        "records again, which changes nothing.",
        "application",
    )
    where = rewind.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--to",
        type=_told(lease_commands.timestamp_ms),
        metavar="TIME",
        help="every shard, from the first record that arrived at this UTC time or later: 2026-01-02T03:04:05Z",
    )
    where.add_argument(
        "--sequence",
        type=_told(lease_commands.shard_number),
        action="append",
        metavar="SHARD=NUMBER",
        help="one shard, from the record behind this one, and all of what came out of it by a reshard; may be repeated",
    )


def _add_rejected(command: Callable[..., argparse.ArgumentParser], machines: argparse.ArgumentParser) -> None:
    rejected = command("rejected", "Dead letters: list (the default), show one, replay one.")
    actions = rejected.add_subparsers(dest="action", metavar="list | show | replay")
    actions.add_parser("list", parents=[machines], help="reason, place and size of each")
    show = actions.add_parser("show", parents=[machines], help="one dead letter whole, its bytes last")
    replay = actions.add_parser(
        "replay", parents=[machines], help="put an order back into its stream, under the identity that it had"
    )
    for action in (show, replay):
        action.add_argument("id")
    replay.add_argument(
        "--data", type=Path, metavar="FILE", help="the corrected record, in place of the rejected bytes"
    )


def _told(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse print what is wrong in our words."""

    def typed(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


if __name__ == "__main__":
    sys.exit(main())
