"""What each participant writes for a line, brought to the fields that are compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.logs.reference import Expected, Found, Reading, right, text, time_ms

Translate = Callable[[Mapping[str, Any]], Reading]
Judge = Callable[[Path, Sequence[Expected]], int]
"""Says how many lines of an output are right."""


def by_line(translate: Translate) -> Judge:
    """A judge of outputs that have one line for each line of the input, in order.

    Raises:
        RuntimeError: raised by the judge where it has more or fewer.
    """

    def judge(output: Path, wanted: Sequence[Expected]) -> int:
        written = output.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        if len(written) != len(wanted):
            raise RuntimeError(f"{len(written)} lines were written for {len(wanted)}")
        read = (found(line, translate) for line in written)
        return sum(right(one, other) for one, other in zip(wanted, read, strict=True))

    return judge


def found(output: str, translate: Translate) -> Found:
    """Read one line of a participant's output; what is no JSON object is text that it kept as it was."""
    try:
        written = json.loads(output)
    except ValueError:
        written = None
    if not isinstance(written, dict):
        return Found(None, (output,))
    return Found(translate(written), tuple(_texts(written)))


def contract(entry: Mapping[str, Any]) -> Reading:
    """`access_log_entry/1`."""
    return Reading(
        address=text(_at(entry, "source", "address")),
        time_ms=time_ms(entry.get("@timestamp")),
        method=text(_at(entry, "http", "request", "method")),
        target=text(_at(entry, "url", "original")),
        status=_number(_at(entry, "http", "response", "status_code")),
        size=_number(_at(entry, "http", "response", "body", "bytes")),
        referrer=text(_at(entry, "http", "request", "referrer")),
        agent=text(_at(entry, "user_agent", "original")),
    )


def grok(fields: Mapping[str, Any]) -> Reading:
    """COMBINEDAPACHELOG: its quoted strings hold their quotes, its numbers and its time are texts."""
    return Reading(
        address=text(fields.get("clientip")),
        time_ms=time_ms(fields.get("timestamp")),
        method=text(fields.get("verb")),
        target=text(fields.get("request")),
        status=_number(fields.get("response")),
        size=_number(fields.get("bytes")),
        referrer=text(_unquoted(fields.get("referrer"))),
        agent=text(_unquoted(fields.get("agent"))),
    )


def plain(fields: Mapping[str, Any]) -> Reading:
    """Fields that already have the names of a reading."""
    return Reading(
        address=text(fields.get("address")),
        time_ms=time_ms(fields.get("time")),
        method=text(fields.get("method")),
        target=text(fields.get("target")),
        status=_number(fields.get("status")),
        size=_number(fields.get("size")),
        referrer=text(fields.get("referrer")),
        agent=text(fields.get("agent")),
    )


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> int | None:
    return (
        int(value) if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()) else None
    )


def _unquoted(value: Any) -> Any:
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
