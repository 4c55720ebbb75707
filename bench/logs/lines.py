"""The input: the real access log, once and repeated, and the hard lines; written into a folder of the bench."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from pathlib import Path

from bench.logs.hard_lines import HARD_LINES

ROOT = Path(__file__).parents[2]
REAL = ROOT / "data" / "access_log.xz"


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


def repeated(folder: Path, once: Sample, count: int) -> Path:
    """The lines of a sample over and over until there are `count`; returns the file."""
    path = folder / f"repeated-{count}.log"
    whole, rest = divmod(count, len(once.lines))
    with path.open("w", encoding="utf-8") as file:
        text = "".join(f"{line}\n" for line in once.lines)
        for _ in range(whole):
            file.write(text)
        file.writelines(f"{line}\n" for line in once.lines[:rest])
    return path


def _written(path: Path, lines: list[str]) -> Sample:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Sample(path, lines)
