"""Names of runs: the order of the names is the order of publication, whatever the clock does. Pure."""

from __future__ import annotations

import re
from datetime import datetime

AUDIT = "audit_"
"""What the name of a run's branch begins with."""
_NAME = re.compile(r"(\d{9})-(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%SZ"


def is_name(text: str) -> bool:
    """Whether it is a run's name."""
    return _NAME.fullmatch(text) is not None


def sequence(run: str) -> int:
    """A run's number, which an export of all rows shares with the run that it shows; the first one is 1.

    Raises:
        ValueError: it is no run's name.
    """
    return _parts(run)[0]


def name(last: str | None, began: datetime, mark: str) -> str:
    """Name the run that comes after another one.

    Args:
        last: name of the newest run that is published; None before the first.
        began: in UTC.
        mark: 8 hexadecimal digits by chance, so that two runs over the same lake are two.

    Raises:
        ValueError: `last` is no run's name.
    """
    number = 1 if last is None else sequence(last) + 1
    return f"{number:09}-{began.strftime(_TIME)}-{mark}"


def again(run: str, at: datetime, mark: str) -> str:
    """Name an export of what a run published, made later: it has the run's number.

    Args:
        at: in UTC.
        mark: as of `name`.

    Raises:
        ValueError: `run` is no run's name.
    """
    return f"{sequence(run):09}-{at.strftime(_TIME)}-{mark}"


def began(run: str) -> datetime:
    """When a run began, in UTC.

    Raises:
        ValueError: it is no run's name.
    """
    return datetime.strptime(f"{_parts(run)[1]}+0000", f"{_TIME}%z")


def branch(run: str) -> str:
    """The branch that a run writes to, of every table."""
    return f"{AUDIT}{run}"


def of_branch(branch: str) -> str | None:
    """The run whose branch it is; None of any other branch."""
    run = branch.removeprefix(AUDIT)
    return run if run != branch and is_name(run) else None


def _parts(run: str) -> tuple[int, str]:
    match = _NAME.fullmatch(run)
    if match is None:
        raise ValueError(f"{run!r} is no run's name")
    return int(match[1]), match[2]
