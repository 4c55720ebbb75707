"""A folder of logs, the follower under test with its clock and its disk, and what it handed over."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.kernel.tail.followed_file import Chunk
from services.kernel.tail.followed_files import FollowedFiles
from services.kernel.tail.generations import Generation
from services.kernel.tail.limits import TailLimits
from services.kernel.tail.state_file import StateFile

QUIET_S = 5.0
GRACE_S = 10.0


@dataclass
class Disk:
    """The state's disk, which can be full."""

    file: StateFile
    full: bool = False

    def load(self) -> list[Generation]:
        return self.file.load()

    def save(self, generations: Iterable[Generation]) -> None:
        self._refuse()
        self.file.save(generations)

    def save_twice(self, generations: Iterable[Generation]) -> None:
        self._refuse()
        self.file.save_twice(generations)

    def _refuse(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


@dataclass
class Shipped:
    """One line as it was handed over."""

    generation: Generation
    offset: int
    text: bytes
    ended: bool


@dataclass
class World:
    """Runs one follower after another on the same folders.

    Args:
        root: a folder of its own.
        pattern: what the globs are, relative to the folder of the logs.
        limits: further limits.
    """

    root: Path
    pattern: str = "*.log*"
    limits: dict[str, float] = field(default_factory=dict)
    now: float = 1000.0
    wall_ms: int = 1_700_000_000_000
    shipped: dict[tuple[str, int], Shipped] = field(default_factory=dict)
    repeats: int = 0
    unacknowledged: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logs = self.root / "logs"
        self.logs.mkdir()
        (self.root / "state").mkdir()
        self.start()

    def start(self) -> None:
        """A new process, with what is on the disk."""
        self.disk = Disk(StateFile(self.root / "state"))
        whole = {"rotated_quiet_s": QUIET_S, "copy_grace_s": GRACE_S, "save_interval_s": 0.0, **self.limits}
        limits = TailLimits((f"{self.logs}/{self.pattern}",), **whole)  # type: ignore[arg-type]
        self.files = FollowedFiles(limits, self.disk, clock=lambda: self.now, now_ms=lambda: self.wall_ms)
        self.files.load()

    def kill(self) -> None:
        """The process is gone with everything in its memory; its descriptors are closed by the system."""
        self.disk.full = True
        self.files.close()
        self.unacknowledged.clear()

    def restart(self) -> None:
        """Ends in good order and starts again."""
        self.acknowledge()
        self.files.close()
        self.start()

    def write(self, name: str, *texts: str | bytes) -> None:
        """Writes whole lines on at the end of a file."""
        self.append(name, b"".join((one.encode() if isinstance(one, str) else one) + b"\n" for one in texts))

    def append(self, name: str, data: bytes) -> None:
        """Writes bytes on at the end of a file."""
        with (self.logs / name).open("ab") as file:
            file.write(data)

    def copy_truncate(self, name: str, copy: str) -> None:
        """What logrotate's copytruncate does."""
        shutil.copy(self.logs / name, self.logs / copy)
        os.truncate(self.logs / name, 0)

    def look(self, after_s: float = 0.25) -> None:
        """Time passes, and the follower looks."""
        self.now += after_s
        self.wall_ms += int(after_s * 1000)
        self.files.look()

    def read(self, *, acknowledge: bool = True) -> None:
        """Hands over everything that the last look saw."""
        while chunks := self.files.read(1 << 20):
            for chunk in chunks:
                self._take(chunk)
                self.unacknowledged.append(chunk)
        if acknowledge:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Everything that was handed over is durable."""
        for chunk in self.unacknowledged:
            self.files.shipped(chunk)
        self.unacknowledged.clear()

    def turn(self, times: int = 1, *, after_s: float = 0.25) -> None:
        """Looks and reads."""
        for _ in range(times):
            self.look(after_s)
            self.read()

    def settle(self) -> None:
        """Lets every grace and quiet time pass."""
        self.turn(3, after_s=1 + max(GRACE_S, QUIET_S))

    def _take(self, chunk: Chunk) -> None:
        assert chunk.lines
        for line in chunk.lines:
            identity = (chunk.generation.id, line.offset)
            one = Shipped(chunk.generation, line.offset, line.text, line.ended)
            self.repeats += identity in self.shipped
            before = self.shipped.setdefault(identity, one)
            assert before.text == one.text, f"{identity} has two contents"

    def texts(self, *, of: str | None = None) -> list[str]:
        """What was handed over, in order: every line once for each identity that it has.

        Args:
            of: only generations that were first seen under this name.
        """
        return [
            one.text.decode()
            for one in self.shipped.values()
            if of is None or Path(one.generation.path).name == of
        ]

    def generations(self) -> set[str]:
        """The ids that lines were handed over under."""
        return {one.generation.id for one in self.shipped.values()}

    def stored(self) -> list[Generation]:
        """What is durable."""
        return StateFile(self.root / "state").load()


def lines(first: int, last: int) -> Sequence[str]:
    """Lines as a web server writes them, each another one, above 64 bytes."""
    form = '192.0.2.{} - - [10/Oct/2026:13:55:{:02d} +0000] "GET /page/{} HTTP/1.1" 200 {}'
    return [form.format(n % 250, n % 60, n, n) for n in range(first, last)]
