"""The commands of the platform on one machine: `python -m deploy.local <command>`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local import control, plan, run_logs, secret_files, status
from deploy.local.layout import Layout
from services.kernel.core.tokens import ROLES

# Each has a `main(arguments) -> exit code` of its own and reads its own arguments.
PROGRAMS = {
    "demo": "send the real data through the platform and compare every line",
    "replay": "send the real data, at full speed or n times real time",
    "verify": "compare what is stored with what was sent",
    "warehouse": "load what has landed into lake and warehouse, compare every line",
    "recommend": "train recommendations on the lake, judge them, put them into service",
    "evaluate": "recommendations beside what others would use, at several cut-off dates",
    "console": "a command of the console over what runs: query, weekly-report, report",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code says how it went (0 well, 1 not, 2 wrong use, 3 nothing runs)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in PROGRAMS:
        program = importlib.import_module(f"deploy.local.{given[0]}")
        return int(program.main(given[1:]))
    options = _parser().parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    up = commands.add_parser("up", help="start everything in the background and wait until it is ready")
    up.add_argument("--fresh", action="store_true", help="stop what runs first: empty streams and tables")
    up.add_argument(
        "--namespace", help="prefix of streams and tables (default: CADABRA_NAMESPACE or cadabra)"
    )
    up.add_argument("--plan", type=Path, default=plan.PLATFORM, help="TOML file that says what to run")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="drain, stop everything, leave no process")
    down.set_defaults(run=_down)

    shown = commands.add_parser(
        "status", help="each engine and service; 1 if one is not well, 3 if none runs"
    )
    shown.add_argument("--json", action="store_true", help="for machines")
    shown.set_defaults(run=_status)

    logs = commands.add_parser("logs", help="what the engines and services print")
    logs.add_argument("--lines", type=int, default=50, help="how many of the last lines (default: 50)")
    logs.add_argument("--follow", action="store_true", help="and those to come")
    logs.set_defaults(run=_logs)

    token = commands.add_parser("token", help="print a token")
    token.add_argument("--role", required=True, choices=sorted(ROLES))
    token.add_argument("--subject", required=True, help="whose: a sender, a customer such as 17850, a person")
    token.add_argument(
        "--lifetime-s", type=float, default=secret_files.LIFETIME_S, help="seconds it is valid"
    )
    token.set_defaults(run=_token)

    for name, text in PROGRAMS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _up(options: argparse.Namespace) -> int:
    layout = Layout.current()
    try:
        run = control.up(layout, _say, options.namespace, options.fresh, options.plan)
    except control.NotUp as failure:
        print(f"not up: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for unit in run.units:
        if unit.kind == "service" and unit.url:
            print(f"{unit.name:<18} {unit.url}")
    print(f"addresses and tokens: {layout.endpoints_file}")
    return 0


def _down(_options: argparse.Namespace) -> int:
    control.down(Layout.current(), _say)
    return 0


def _status(options: argparse.Namespace) -> int:
    found = status.read(Layout.current())
    print(json.dumps(found.as_dict(), indent=1) if options.json else status.table(found))
    return found.exit_code


def _logs(options: argparse.Namespace) -> int:
    try:
        run_logs.show(Layout.current().logs, options.lines, options.follow)
    except KeyboardInterrupt:
        return 0
    return 0


def _token(options: argparse.Namespace) -> int:
    layout = Layout.current()
    secret_files.ensure(layout)
    print(secret_files.token(layout, options.role, options.subject, options.lifetime_s))
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
