"""The logs of a run: one bounded file a process, one with every line, and the coloured view of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

MAX_FILE_BYTES = 10 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024
_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95)


class BoundedFile:
    """A log file that is moved to `<name>.1` when it is full, so that it never takes more than twice its bound."""

    def __init__(self, path: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab")

    def write(self, line: bytes) -> None:
        """Add one line; it ends with a newline."""
        if self._file.tell() + len(line) > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab")
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class RunLogs:
    """Takes what the processes of a run print, in pieces as they come, and writes whole lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all = BoundedFile(folder / "all.log")
        self._files: dict[str, BoundedFile] = {}
        self._pending: dict[str, bytes] = {}

    def take(self, name: str, chunk: bytes) -> None:
        """Add what a process printed; an empty chunk ends its output. A line is cut at 64 KiB."""
        text = self._pending.pop(name, b"") + chunk
        *lines, rest = text.split(b"\n")
        if rest and (not chunk or len(rest) > _MAX_LINE_BYTES):
            lines, rest = [*lines, rest], b""
        for line in lines:
            self._write(name, line + b"\n")
        if rest:
            self._pending[name] = rest

    def path(self, name: str) -> Path:
        """The file of this process."""
        return self._folder / f"{name}.log"

    def close(self) -> None:
        """Close every file."""
        for file in (self._all, *self._files.values()):
            file.close()

    def _write(self, name: str, line: bytes) -> None:
        if name not in self._files:
            self._files[name] = BoundedFile(self.path(name))
        self._files[name].write(line)
        self._all.write(f"{name:<18}| ".encode() + line)


def show(folder: Path, lines: int, follow: bool, out: IO[str] = sys.stdout) -> None:
    """Print the last lines of everything, and those to come; coloured by process on a terminal."""
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(folder / "all.log")]
    colours: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
        assert tail.stdout is not None  # noqa: S101 - because it was asked for
        for line in tail.stdout:
            name, bar, rest = line.partition("|")
            if out.isatty() and bar:
                colour = colours.setdefault(name, _COLOURS[len(colours) % len(_COLOURS)])
                line = f"\x1b[{colour}m{name}|\x1b[0m{rest}"
            out.write(line)
            out.flush()
