"""What a line of the combined format says, read strictly and independently of everything that is measured.

Pure. Slow is fine here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
# Source: Apache httpd 2.4, "Log Files", Combined Log Format; a user name may hold blanks.
_COMBINED = re.compile(
    rf"(\S+) \S+ .+? \[(\d\d/[A-Z][a-z]{{2}}/\d{{4}}(?::\d\d){{3}} [+-]\d{{4}})\] "
    rf"{_QUOTED} (\d{{3}}) (\d+|-) {_QUOTED} {_QUOTED}"
)
# Source: RFC 9112, 3; HTTP/0.9 had no version.
_REQUEST = re.compile(r"(\S+) (\S+)(?: HTTP/\d(?:\.\d)?)?")

# Source: `ap_escape_logitem`, Apache httpd 2.4, server/util.c.
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")
_CONTROLS = {"b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f"}


class Reading(NamedTuple):
    """The fields that are compared; None where the line says `-`, or where the request is none of HTTP.

    Args:
        time_ms: UTC, milliseconds since 1970.
        size: bytes.
    """

    address: str | None
    time_ms: int | None
    method: str | None
    target: str | None
    status: int | None
    size: int | None
    referrer: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is right for a line.

    Args:
        reading: None for a line that is not of the format: then its whole text has to be kept.
        keep: the text that a participant has to keep somewhere, as the log writes it; empty for none.
    """

    reading: Reading | None
    keep: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a participant made of a line.

    Args:
        texts: every text that it keeps of it.
    """

    reading: Reading | None
    texts: tuple[str, ...]


def expected(line: str) -> Expected:
    """Read a line, without its end."""
    match = _COMBINED.fullmatch(line)
    if match is None:
        return Expected(None, line)
    address, time, request, status, size, referrer, agent = match.groups()
    parts = _REQUEST.fullmatch(request)
    method, target = parts.groups() if parts is not None else (None, None)
    number = None if size == "-" else int(size)
    reading = Reading(
        address, time_ms(time), method, text(target), int(status), number, text(referrer), text(agent)
    )
    return Expected(reading, "" if parts is not None or request == "-" else request)


def right(wanted: Expected, found: Found) -> bool:
    """Whether a participant's fields are the line's, and what must be kept is kept.

    Where the request is none of HTTP, method and target may be anything as long as its text is kept.
    """
    if wanted.keep and not _kept(wanted.keep, found.texts):
        return False
    if wanted.reading is None:
        return True
    if found.reading is None:
        return False
    if wanted.reading.method is None:
        found_rest = found.reading._replace(method=None, target=None)
        return all(map(_same, wanted.reading, found_rest))
    return all(map(_same, wanted.reading, found.reading))


def text(value: object) -> str | None:
    """A text field; `-` and nothing are None."""
    return value if isinstance(value, str) and value not in ("", "-") else None


def time_ms(value: object) -> int | None:
    """A time as Apache writes it, or in ISO 8601, as milliseconds; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        if value[2:3] == "/":
            moment = datetime.strptime(value, "%d/%b/%Y:%H:%M:%S %z")
        else:
            moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _same(written: object, found: object) -> bool:
    if isinstance(written, str) and isinstance(found, str):
        return found in _forms(written)
    return written == found


def _kept(wanted: str, texts: tuple[str, ...]) -> bool:
    return any(form in one for form in _forms(wanted) for one in texts)


def _forms(written: str) -> set[str]:
    """How a participant may give what the log writes: as it stands, `\"` read, or every escape read."""
    if "\\" not in written:
        return {written}
    sent = _ESCAPE.sub(_unescaped, written).encode("latin-1", "replace")
    quotes = re.sub(r"\\(.)", lambda match: '"' if match[1] == '"' else match[0], written)
    return {written, quotes, sent.decode("latin-1"), sent.decode("utf-8", "replace")}


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if len(escape) == 3 else _CONTROLS.get(escape, escape)
