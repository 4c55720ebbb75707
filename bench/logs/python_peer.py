"""A Python library over the same lines in the same loop; it parses and does not encode.

`python python_peer.py NAME INPUT [OUTPUT]` prints the loop's figures as JSON. With OUTPUT it is not timed and writes
a JSON line for each line read. It runs in the peers' environment: the standard library and the peer, nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Parse = Callable[[str], Any]
Fields = Callable[[Any], dict[str, Any]]


def apachelogs() -> tuple[Parse, Fields]:
    """`apachelogs`, its combined format."""
    import apachelogs as library

    parse = library.LogParser(library.COMBINED).parse

    def fields(entry: Any) -> dict[str, Any]:
        method, target, protocol = _request(entry.request_line)
        return {
            "address": entry.remote_host,
            "time": entry.request_time.isoformat(),
            "method": method,
            "target": target,
            "request": entry.request_line,
            "protocol": protocol,
            "status": entry.final_status,
            "size": entry.bytes_sent,
            "referrer": entry.headers_in["Referer"],
            "agent": entry.headers_in["User-Agent"],
        }

    return parse, fields


def clfparser() -> tuple[Parse, Fields]:
    """`clfparser`; its texts keep their quotes."""
    from clfparser import CLFParser

    def fields(entry: dict[str, Any]) -> dict[str, Any]:
        method, target, protocol = _request(entry["r"].strip('"'))
        return {
            "address": entry["h"],
            "time": entry["time"].isoformat() + entry["timezone"],
            "method": method,
            "target": target,
            "request": entry["r"],
            "protocol": protocol,
            "status": entry["s"],
            "size": entry["b"],
            "referrer": entry["Referer"].strip('"'),
            "agent": entry["Useragent"].strip('"'),
        }

    return CLFParser.logDict, fields


def _request(line: str | None) -> tuple[str | None, str | None, str | None]:
    parts = (line or "").split(" ")
    if len(parts) == 3:
        return parts[0], parts[1], parts[2]
    return (parts[0], parts[1], None) if len(parts) == 2 else (None, None, None)


def read(parse: Parse, lines: list[str]) -> None:
    """The loop that is timed; a line that it refuses with an error is left out."""
    for line in lines:
        try:  # noqa: SIM105 - suppress() would cost the peer more than some of its parsing
            parse(line)
        except Exception:  # noqa: BLE001, S110 - a peer may fail in any way
            pass


def write(parse: Parse, fields: Fields, lines: list[str], output: Path) -> None:
    """What it makes of each line; the line itself where it fails."""
    with output.open("w", encoding="utf-8") as file:
        for line in lines:
            try:
                written = json.dumps(fields(parse(line)))
            except Exception:  # noqa: BLE001 - a peer may fail in any way
                written = line
            file.write(written + "\n")


def main() -> None:
    """Time the loop, or write what it makes of the lines."""
    parse, fields = {"apachelogs": apachelogs, "clfparser": clfparser}[sys.argv[1]]()
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    if len(sys.argv) > 3:
        write(parse, fields, lines, Path(sys.argv[3]))
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    read(parse, lines)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    print(json.dumps({"lines": len(lines), "cpu_s": cpu_s, "wall_s": wall_s}))


if __name__ == "__main__":
    main()
