"""Many files, full disks, jumping clocks: what bounds and protects the following of logs."""

from __future__ import annotations

import errno
import os
import resource
from collections import Counter
from pathlib import Path

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.tail.generations import Generation, Key
from services.kernel.tail.state_file import SLOTS, StateFile, StateLock
from tests.unit.tail.following import World, lines

MADE = Generation("0" * 32, "/a", 1, Key(1, 2))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_handed_over_before_its_generation_is_stored(world: World) -> None:
    world.disk.full = True
    world.write("access.log", *lines(0, 3))
    world.turn(3)
    assert world.texts() == []
    assert world.files.saving_fails
    assert world.files.counts.save_failures >= 1
    world.disk.full = False
    world.turn(2, after_s=1.1)
    assert world.texts() == list(lines(0, 3))
    assert not world.files.saving_fails


def test_a_full_disk_stops_no_known_file(world: World) -> None:
    world.write("known.log", *lines(0, 1))
    world.turn(2)
    world.disk.full = True
    world.write("known.log", *lines(1, 40))
    world.write("new.log", *lines(100, 140))
    world.turn(4)
    assert world.texts() == list(lines(0, 40))
    (world.logs / "new.log").rename(world.logs / "new.log.1")
    world.write("new.log.1", *lines(140, 141))
    world.disk.full = False
    world.turn(3, after_s=1.1)
    assert sorted(world.texts()) == sorted([*lines(0, 40), *lines(100, 141)])


def test_a_kill_before_the_first_save_costs_no_identity(world: World) -> None:
    world.disk.full = True
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    world.kill()
    world.start()
    world.turn(2)
    assert world.texts() == list(lines(0, 3))
    assert len(world.generations()) == 1


def test_lines_that_were_on_their_way_come_again_under_the_same_identity(world: World) -> None:
    world.write("access.log", *lines(0, 100))
    world.look()
    world.read(acknowledge=False)
    world.look()
    world.kill()
    world.start()
    world.turn(2)
    assert world.texts() == list(lines(0, 100))
    assert world.repeats == 100
    assert len(world.generations()) == 1


def test_the_stored_fingerprint_covers_what_was_handed_over(world: World) -> None:
    world.write("access.log", *lines(0, 1))
    world.turn(2)
    for n in range(1, 20):
        world.write("access.log", *lines(n, n + 1))
        world.look()
        world.read(acknowledge=False)
        (stored,) = world.stored()
        handed = max(one.offset + len(one.text) + 1 for one in world.shipped.values())
        assert stored.head_bytes >= min(1024, handed)


def test_a_jumping_clock_changes_no_time_of_first_seeing(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    first = world.stored()[0].first_seen_ms
    for jump_ms in (-(10**11), 10**11):
        world.wall_ms += jump_ms
        world.write("access.log", *lines(3, 4))
        world.restart()
        world.turn(2)
    assert [one.first_seen_ms for one in world.stored()] == [first]
    assert {one.generation.first_seen_ms for one in world.shipped.values()} == {first}


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_thousands_of_files_with_few_descriptors(tmp_path: Path) -> None:
    world = World(tmp_path, limits={"max_open_files": 16, "max_files": 2000})
    before = descriptors()
    for n in range(1500):
        world.write(f"{n}.log", f"{n} first", f"{n} second")
    world.turn(2)
    for n in range(0, 1500, 7):
        world.write(f"{n}.log", f"{n} third")
    world.turn(2)
    assert descriptors() - before <= 17
    assert len(world.texts()) == 3000 + len(range(0, 1500, 7))
    assert len(world.generations()) == 1500


def test_a_closed_file_that_is_renamed_between_look_and_read(tmp_path: Path) -> None:
    world = World(tmp_path, limits={"max_open_files": 1})
    for name in "ab":
        world.append(f"{name}.log", "".join(f"{name} {line}\n" for line in lines(0, 3)).encode() + b"half")
    world.look()
    for name in "ab":
        (world.logs / f"{name}.log").rename(world.logs / f"{name}.log.1")
    world.read()
    world.turn(2)
    assert len(world.texts()) == 6
    world.settle()
    world.settle()
    assert len(world.texts()) == 8
    assert world.files.counts.file_errors == 0


def test_past_the_bound_new_files_wait_and_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, pattern="*.log", limits={"max_files": 2})
    for name in "abc":
        world.write(f"{name}.log", *lines(ord(name), ord(name) + 1))
    world.turn(2)
    assert len(world.generations()) == 2
    assert world.files.states()["waiting"] == 1
    (world.logs / "a.log").rename(world.logs / "old")
    world.settle()
    assert len(world.generations()) == 3
    assert len(world.stored()) == 2


def test_a_busy_file_does_not_starve_the_others(world: World) -> None:
    world.append("busy.log", b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 50_000)
    world.write("zz.log", *lines(0, 2))
    world.look()
    world.unacknowledged += world.files.read(200_000)
    paths = [Path(chunk.generation.path).name for chunk in world.unacknowledged]
    assert "zz.log" in paths[:2]
    assert sum(chunk.size_bytes for chunk in world.unacknowledged) < 200_000 + 65_536


def test_turns_go_on_over_looks(world: World) -> None:
    for n in range(10):
        world.append(f"{n}.log", (b"%d" % n) * 99 + b"\n" + b"y" * 99 + b"\n" * 1_000_000)
    for _ in range(30):
        world.look()
        world.now += 0.01
        world.unacknowledged += world.files.read(1)  # as little as the stream takes
    assert set(Counter(chunk.generation.path for chunk in world.unacknowledged).values()) == {3}


def test_the_age_of_the_oldest_unread_byte(world: World) -> None:
    world.write("access.log", *lines(0, 1))
    world.turn(2)
    assert world.files.oldest_unread_s() == 0
    world.write("access.log", *lines(1, 2))
    world.look()
    world.read(acknowledge=False)
    world.write("access.log", *lines(2, 3))
    world.look(after_s=3)
    assert world.files.oldest_unread_s() == 3
    world.acknowledge()
    assert world.files.oldest_unread_s() == 0
    world.read()
    assert world.files.lag_bytes() == 0


def test_a_broken_copy_of_the_state_costs_nothing(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn(3)
    world.kill()
    for slot in SLOTS:
        whole = (world.root / "state" / slot).read_bytes()
        (world.root / "state" / slot).write_bytes(whole[: len(whole) // 2])
        world.start()
        world.turn(2)
        assert world.texts() == list(lines(0, 3))
        assert len(world.generations()) == 1
        world.kill()
        (world.root / "state" / slot).write_bytes(whole)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_generation_is_in_both_copies_before_a_line_of_it_is_handed_over(world: World, slot: str) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn()
    world.kill()
    (world.root / "state" / slot).write_bytes(b"lost")
    world.start()
    world.turn(2)
    assert world.repeats == 3
    assert world.texts() == list(lines(0, 3))


def test_a_sync_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = StateFile(tmp_path)
    state.save_twice([MADE])

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            state.save([])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SLOTS)
    assert StateFile(tmp_path).load() == [MADE]


def test_a_write_that_ends_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    state.save_twice([MADE])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # the system's own way to end a write early
    try:
        with pytest.raises(OSError, match="File too large"):
            state.save([MADE, MADE])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SLOTS)
    assert StateFile(tmp_path).load() == [MADE]


def test_two_broken_copies_are_said_and_not_begun_anew(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    assert state.load() == []
    state.save_twice([])
    for slot in SLOTS:
        (tmp_path / slot).write_bytes(b'{"sha256":"0","state":\n{}\n}\n')
    with pytest.raises(Misconfigured, match=r"no whole copy.*delete both"):
        StateFile(tmp_path).load()


def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    from services.kernel.tail import state_file

    state = StateFile(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_file, "VERSION", 2)
        state.save_twice([])
    with pytest.raises(Misconfigured, match="version 2"):
        state.load()


def test_one_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_state_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="CADABRA_STATE_FOLDER"):
        StateLock(tmp_path / "missing").acquire()
