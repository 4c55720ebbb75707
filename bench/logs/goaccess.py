"""GoAccess from Debian: it reads a log and writes its whole report; it tells counts, not lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.logs.absence import Absent, last_line
from bench.logs.process import Command
from bench.logs.reference import Expected
from deploy.local.engines import debian
from deploy.local.engines.fetch import FetchFailed

VERSION = "1.7"


def program() -> debian.Program:
    """GoAccess, fetched where it is not there yet.

    Raises:
        Absent: it cannot be fetched.
    """
    try:
        return debian.ensure("goaccess")
    except FetchFailed as failure:
        raise Absent(last_line(str(failure))) from None


def command(goaccess: debian.Program, source: Path, output: Path) -> Command:
    """Read `source` and write the report, HTML or JSON by the ending of `output`."""
    options = ["--log-format=COMBINED", "--no-global-config", "--no-progress", "-o", str(output)]
    return Command([str(goaccess.path), str(source), *options], goaccess.environment)


def valid_requests(output: Path, _: Sequence[Expected]) -> int:
    """How many lines it counted as requests, by its JSON report; how it read them it does not tell."""
    return int(json.loads(output.read_text(encoding="utf-8"))["general"]["valid_requests"])
