"""The recorded access log, and what an independent reading of a line says of it."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.layout import ROOT

DATA_FILE = ROOT / "data" / "access_log.xz"
DATA_LINES = 10_000
DATA_CUT_OFF = 8_899
"""The line of the recorded log that ends in the middle, counted from 1."""

# The combined format, strictly, and none of the shipper's code: what is compared must not come from what is judged.
# Source: https://httpd.apache.org/docs/2.4/logs.html#combined
_COMBINED = re.compile(
    r'(?P<address>\S+) \S+ \S+ \[[^\]]+\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-) '
    r'"(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Written:
    """One line of a log file.

    Args:
        path: of the file, as the shipper sees it.
        offset: of the line's first byte.
    """

    path: str
    offset: int
    text: str


def recorded() -> bytes:
    """The recorded log, whole."""
    return lzma.decompress(DATA_FILE.read_bytes())


def lines(path: Path, content: bytes) -> Iterator[Written]:
    """The lines of a file with this content."""
    offset = 0
    for line in content.removesuffix(b"\n").split(
        b"\n"
    ):  # `splitlines` would end a line at a carriage return
        yield Written(str(path), offset, line.decode("utf-8", "backslashreplace"))
        offset += len(line) + 1


def reading(text: str) -> dict[str, Any] | None:
    """What a line of the combined format says, by field of the contract; None for any other line."""
    match = _COMBINED.fullmatch(text)
    if match is None:
        return None
    request = match["request"].split(" ")
    said = {
        "source.address": match["address"],
        "http.request.method": request[0],
        "url.original": request[1] if len(request) == 3 else match["request"],
        "http.response.status_code": int(match["status"]),
        "http.response.body.bytes": None if match["size"] == "-" else int(match["size"]),
        "http.request.referrer": match["referrer"],
        "user_agent.original": match["agent"],
    }
    return {field: None if value == "-" else _unquoted(value) for field, value in said.items()}


def _unquoted(value: Any) -> Any:
    """A text with its quotes as they were sent; every other escape stays as Apache wrote it."""
    return (
        _ESCAPE.sub(lambda pair: pair[1] if pair[1] == '"' else pair[0], value)
        if isinstance(value, str)
        else value
    )


def value(document: dict[str, Any], field: str) -> Any:
    """The value of a field with dots in its name; None where there is none."""
    found: Any = document
    for name in field.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
