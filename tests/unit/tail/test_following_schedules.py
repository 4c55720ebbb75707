"""Random schedules of what servers, rotations, disks and deaths do: every line has one identity, none is missing."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from services.kernel.tail.generations import Key
from tests.unit.tail.following import GRACE_S, QUIET_S, World

SEEDS = range(200)
STEPS = 60
NAMES = ("a.log", "b.log", "c.log")


class Schedule:
    """One random run. `may_be_lost` holds the lines that nobody could have kept: gone before they were looked at."""

    def __init__(self, root: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        pattern = self.rng.choice(["*.log*", "*.log"])
        self.world = World(
            root,
            pattern=pattern,
            limits={"max_open_files": self.rng.choice([2, 4, 100]), "save_interval_s": 0.5},
        )
        self.number = 0
        self.copies = 0
        self.rotated = 0
        self.half: dict[str, bytes] = {}
        self.content: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.written: set[bytes] = set()
        self.may_be_lost: set[bytes] = set()
        self.inodes: dict[int, list[bytes]] = {}
        self.actions: list[tuple[int, Callable[[], None]]] = [
            (30, self.append),
            (10, self.append_half),
            (25, self.turn),
            (10, self.look),
            (8, self.read_without_answer),
            (6, self.acknowledge),
            (5, self.rename),
            (5, self.copy_and_truncate),
            (2, self.truncate),
            (2, self.delete),
            (5, self.restart),
            (7, self.kill),
            (4, self.fill_disk),
            (6, self.free_disk),
        ]
        self.met: Counter[str] = Counter()

    def run(self) -> None:
        weights = [weight for weight, _ in self.actions]
        for _ in range(STEPS):
            _, action = self.rng.choices(self.actions, weights)[0]
            self.met[action.__name__] += 1
            action()
        self.finish()

    # The server

    def line(self) -> bytes:
        self.number += 1
        return b"%06d " % self.number + b"x" * self.rng.choice([3, 60, 60, 400])

    def append(self) -> None:
        name = self.rng.choice(NAMES)
        for _ in range(self.rng.randint(1, 5)):
            self.write_line(name, self.half.pop(name, b"") or self.line(), begun=True)

    def write_line(self, name: str, line: bytes, *, begun: bool = False) -> None:
        rest = line
        path = self.world.logs / name
        tail = path.read_bytes().rpartition(b"\n")[2] if path.exists() else b""
        if begun and tail and line.startswith(tail):
            rest = line[len(tail) :]
        self.world.append(name, rest + b"\n")
        self.written.add(line)
        self.content[name].append(line)

    def append_half(self) -> None:
        name = self.rng.choice(NAMES)
        if name not in self.half:
            line = self.line()
            self.half[name] = line
            self.world.append(name, line[: self.rng.randint(1, len(line) - 1)])

    def end_half(self, name: str) -> None:
        """A line that was begun is ended before its file is rotated: a cut in two is another test's subject."""
        if name in self.half:
            self.write_line(name, self.half.pop(name), begun=True)

    # Rotation

    def some_file(self) -> str | None:
        there = [name for name in NAMES if (self.world.logs / name).exists()]
        return self.rng.choice(there) if there else None

    def rename(self) -> None:
        if name := self.some_file():
            self.end_half(name)
            self.may_be_lost |= self.unseen(name)
            self.rotated += 1
            target = f"{name}.{self.rotated}"
            (self.world.logs / name).rename(self.world.logs / target)
            self.content[target] = self.content[name]
            self.content[name] = []
            if self.rng.random() < 0.5:  # the server has it open still
                for _ in range(self.rng.randint(1, 3)):
                    line = self.line()
                    self.world.append(target, line + b"\n")
                    self.written.add(line)
                    self.content[target].append(line)
                self.may_be_lost |= self.unseen(target)

    def copy_and_truncate(self) -> None:
        name = self.some_file()
        if not name or not self.content[name]:
            return
        self.end_half(name)
        self.copies += 1
        source, copy = self.world.logs / name, self.world.logs / f"{name}.copy{self.copies}"
        content = source.read_bytes()
        with copy.open("wb") as file:
            at = 0
            while at < len(content):
                at += self.rng.randint(1, len(content))
                file.write(content[file.tell() : at])
                file.flush()
                if self.rng.random() < 0.3:
                    self.rng.choice([self.turn, self.look, self.kill, self.restart])()
        assert copy.read_bytes() == content
        self.may_be_lost |= self.unseen(name, by_content=True)
        os.truncate(source, 0)
        self.content[name] = []
        if self.rng.random() < 0.5:
            copy.rename(self.world.logs / f"{name}.moved{self.copies}")

    def unshipped(self, name: str) -> set[bytes]:
        delivered = {one.text for one in self.world.shipped.values()}
        return set(self.content[name]) - delivered

    def unseen(self, name: str, *, by_content: bool = False) -> set[bytes]:
        """Lines of a content that is not known yet and that no glob will find any more: nobody can know of it."""
        if self.world.pattern == "*.log*":
            return set()
        path = self.world.logs / name
        content, key = path.read_bytes(), Key.of(path.stat())
        known = [one for one in self.world.stored() if one.key == key and one.head_bytes]
        if by_content:
            known = [one for one in known if b"\n" in content[: one.head_bytes] or one.head_bytes >= 64]
        heads = {hashlib.sha256(content[: one.head_bytes]).hexdigest() for one in known}
        return self.unshipped(name) if heads.isdisjoint(one.head_sha256 for one in known) else set()

    def truncate(self) -> None:
        if name := self.some_file():
            self.end_half(name)
            self.may_be_lost |= self.unshipped(name)
            os.truncate(self.world.logs / name, 0)
            self.content[name] = []

    def delete(self) -> None:
        if name := self.some_file():
            self.end_half(name)
            self.may_be_lost |= self.unshipped(name)
            (self.world.logs / name).unlink()
            self.content[name] = []

    # The follower

    def turn(self) -> None:
        self.world.turn(after_s=self.rng.choice([0.25, 0.25, 1.5]))

    def look(self) -> None:
        self.world.look()

    def read_without_answer(self) -> None:
        self.world.read(acknowledge=False)

    def acknowledge(self) -> None:
        self.world.acknowledge()

    def restart(self) -> None:
        full = self.world.disk.full
        self.world.restart()
        self.world.disk.full = full

    def kill(self) -> None:
        full = self.world.disk.full
        self.world.kill()
        self.world.start()
        self.world.disk.full = full

    def fill_disk(self) -> None:
        self.world.disk.full = True

    def free_disk(self) -> None:
        self.world.disk.full = False

    def finish(self) -> None:
        self.free_disk()
        for name in list(self.half):
            self.end_half(name)
        for _ in range(4):
            self.world.turn(after_s=1 + max(GRACE_S, QUIET_S))

    def differences(self) -> list[str]:
        texts = Counter(one.text for one in self.world.shipped.values())
        found = [f"doubled {text[:7]!r} x{times}" for text, times in texts.items() if times > 1]
        halves = {one.text for one in self.world.shipped.values() if not one.ended}
        for text in texts.keys() - self.written:
            # Of a line that is lost its first half may be all that was read.
            if text not in halves or not any(line.startswith(text) for line in self.may_be_lost):
                found.append(f"never written {text[:20]!r}")
        found += [f"missing {text[:7]!r}" for text in self.written - texts.keys() - self.may_be_lost]
        return found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_has_one_identity_and_none_is_missing(tmp_path: Path, seed: int) -> None:
    schedule = Schedule(tmp_path, seed)
    schedule.run()
    assert schedule.differences() == []
    counts = schedule.world.files.counts
    lost = schedule.written - {one.text for one in schedule.world.shipped.values()}
    assert lost <= schedule.may_be_lost
    assert schedule.world.files.lag_bytes() == 0
    assert counts.file_errors == 0


def test_the_schedules_meet_what_they_are_for(tmp_path: Path) -> None:
    met: Counter[str] = Counter()
    rotations: Counter[str] = Counter()
    for seed in range(20):
        (tmp_path / str(seed)).mkdir()
        schedule = Schedule(tmp_path / str(seed), seed)
        schedule.run()
        met += schedule.met
        rotations += schedule.world.files.counts.rotations
        shutil.rmtree(tmp_path / str(seed))
    assert len(met) == len(schedule.actions)
    assert {"renamed", "copied", "truncated"} <= rotations.keys()
