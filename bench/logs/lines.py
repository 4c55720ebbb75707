"""The input: the real access log, once and repeated, and the hard lines; written into a folder of the bench."""

from __future__ import annotations

import itertools
import lzma
import re
from dataclasses import dataclass
from pathlib import Path

from bench.logs.hard_lines import HARD_LINES

ROOT = Path(__file__).parents[2]
REAL = ROOT / "data" / "access_log.xz"
_LINE = re.compile(r"(\d+\.\d+\.\d+\.)(\d+)( [^\[]*\[[^:]*:\d\d:)\d\d(:.*)")


@dataclass(frozen=True, slots=True)
class Sample:
    """A log file and its lines."""

    path: Path
    lines: list[str]


def real(folder: Path) -> Sample:
    """The real file, once."""
    return _written(folder / "real.log", lzma.decompress(REAL.read_bytes()).decode("utf-8").splitlines())


def hard(folder: Path) -> Sample:
    """The hard lines."""
    return _written(folder / "hard.log", [line for _, line in HARD_LINES])


def servers(folder: Path, once: Sample, count: int) -> Path:
    """The logs of as many servers of the site as it takes to have `count` lines, one after another.

    Each server has the lines of the real file, a minute of its own in every hour, and visitors of its own: so seconds
    and addresses come again as often as in the real file and no oftener, which matters to whoever remembers them.

    Args:
        count: at most 60 times the lines of the sample.
    """
    path = folder / f"servers-{count}.log"
    with path.open("w", encoding="utf-8") as file:
        for server in range(-(-count // len(once.lines))):
            lines = once.lines[: count - server * len(once.lines)]
            file.writelines(f"{of_server(line, server)}\n" for line in lines)
    return path


def again(folder: Path, once: Sample, count: int) -> Path:
    """The very same lines again and again until there are `count`."""
    path = folder / f"again-{count}.log"
    lines = itertools.islice(itertools.cycle(once.lines), count)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def of_server(line: str, server: int) -> str:
    """A line as this server would have written it.

    Args:
        line: begins with an IPv4 address and has a time in brackets.
        server: 0 to 59.
    """
    match = _LINE.fullmatch(line)
    assert match is not None, line
    network, last, before, after = match.groups()
    return f"{network}{(int(last) + server) % 256}{before}{server:02}{after}"


def _written(path: Path, lines: list[str]) -> Sample:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Sample(path, lines)
