"""Whatever is done to a log file, each of its lines has one identity and is handed over."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from services.kernel.tail.generations import Key
from services.kernel.tail.state_file import StateFile
from tests.unit.tail.following import GRACE_S, QUIET_S, World, lines


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def only_current(tmp_path: Path) -> World:
    return World(tmp_path, pattern="access.log")


def test_lines_are_handed_over_once_with_their_offsets(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn()
    world.write("access.log", *lines(3, 5))
    world.turn(2)
    assert world.texts() == list(lines(0, 5))
    offsets = [offset for _, offset in world.shipped]
    content = (world.logs / "access.log").read_bytes()
    assert [content[at:].split(b"\n")[0].decode() for at in offsets] == list(lines(0, 5))
    assert len(world.generations()) == 1
    assert world.files.lag_bytes() == 0


def test_a_renamed_file_that_is_written_on_is_the_same_generation(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn()
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.write("access.log.1", *lines(3, 5))  # Apache before its restart
    world.turn()
    world.write("access.log", *lines(10, 12))  # appears later
    world.write("access.log.1", *lines(5, 6))
    world.turn()
    assert sorted(world.texts()) == sorted([*lines(0, 6), *lines(10, 12)])
    assert len(world.generations()) == 2
    assert world.files.counts.rotations == {"renamed": 1}
    assert {one.generation.path for one in world.shipped.values()} == {str(world.logs / "access.log")}


def test_several_rotations_between_two_looks(world: World) -> None:
    world.write("access.log", *lines(0, 2))
    world.turn()
    for number in range(1, 5):
        for old in range(number, 0, -1):
            name = "access.log" if old == 1 else f"access.log.{old - 1}"
            (world.logs / name).rename(world.logs / f"access.log.{old}")
        world.write("access.log.1", *lines(number * 10, number * 10 + 1))
        world.write("access.log", *lines(number * 10 + 5, number * 10 + 7))
    world.settle()
    written = [line for path in world.logs.iterdir() for line in path.read_text().splitlines()]
    assert sorted(world.texts()) == sorted(written)
    assert len(world.generations()) == 5


def test_a_rotated_name_that_no_glob_finds_is_read_to_its_end(tmp_path: Path) -> None:
    world = only_current(tmp_path)
    world.write("access.log", *lines(0, 2))
    world.turn()
    (world.logs / "access.log").rename(world.logs / "old-1")
    world.write("old-1", *lines(2, 4))
    world.write("access.log", *lines(10, 11))
    world.turn()
    world.settle()
    world.write("old-1", *lines(4, 5))  # long after it was thought finished
    world.turn()
    assert sorted(world.texts()) == sorted([*lines(0, 5), *lines(10, 11)])


@pytest.mark.parametrize("kill", [True, False])
def test_an_unfinished_renamed_file_is_found_again_after_a_restart(tmp_path: Path, kill: bool) -> None:
    world = only_current(tmp_path)
    world.write("access.log", *lines(0, 2))
    world.turn(2)
    if kill:
        world.kill()
    else:
        world.files.close()
    (world.logs / "access.log").rename(world.logs / "old-1")
    world.write("old-1", *lines(2, 4))
    world.write("access.log", *lines(10, 11))
    world.start()
    world.turn(2)
    assert sorted(world.texts()) == sorted([*lines(0, 4), *lines(10, 11)])
    assert len(world.generations()) == 2
    assert world.files.counts.lost_possible == 0


def test_the_copy_of_copytruncate_is_no_new_lines(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    world.copy_truncate("access.log", "access.log.1")
    world.write("access.log", *lines(30, 32))
    world.settle()
    world.write("access.log", *lines(32, 33))
    world.turn()
    assert world.texts() == list(lines(0, 33))
    assert world.files.counts.rotations["copied"] == 1
    assert world.files.counts.lost_bytes == 0


@pytest.mark.parametrize("pattern", ["*.log*", "access.log"])
def test_unread_lines_of_a_truncated_file_are_read_from_its_copy(tmp_path: Path, pattern: str) -> None:
    world = World(tmp_path, pattern)
    world.write("access.log", *lines(0, 3))
    world.turn()
    world.write("access.log", *lines(3, 30))
    world.copy_truncate("access.log", "access.log.1")
    world.write("access.log", *lines(30, 31))
    world.settle()
    assert sorted(world.texts()) == sorted(lines(0, 31))
    assert len(world.generations()) == 2
    assert world.files.counts.lost_bytes == 0


@pytest.mark.parametrize("pattern", ["*.log*", "access.log"])
def test_copytruncate_while_nobody_looks(tmp_path: Path, pattern: str) -> None:
    world = World(tmp_path, pattern)
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    world.kill()
    world.write("access.log", *lines(3, 30))
    world.copy_truncate("access.log", "access.log.1")
    (world.logs / "access.log.1").rename(world.logs / "access.log.2")
    world.write("access.log", *lines(30, 40))
    world.copy_truncate("access.log", "access.log.1")
    world.write("access.log", *lines(40, 41))
    world.start()
    world.settle()
    # Without a glob that finds it, the second copy is of a content that was never seen under its name.
    missed = [] if pattern == "*.log*" else list(lines(30, 40))
    assert sorted([*world.texts(), *missed]) == sorted(lines(0, 41))
    assert world.files.counts.lost_possible == 0


def test_a_copy_under_way_waits_and_is_no_new_file(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    content = (world.logs / "access.log").read_bytes()
    for at in range(0, len(content), 500):  # cp, seen in the middle
        world.append("access.log.1", content[at : at + 500])
        world.turn()
    world.write("access.log", *lines(30, 31))  # between copy and truncation: read, and not in the copy
    world.turn()
    os.truncate(world.logs / "access.log", 0)
    world.write("access.log", *lines(40, 41))
    world.settle()
    assert sorted(world.texts()) == sorted([*lines(0, 31), *lines(40, 41)])


def test_a_short_copy_that_no_look_saw_before_the_truncation_is_known_by_its_head(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.look()
    shutil.copy(world.logs / "access.log", world.logs / "access.log.1")
    world.write("access.log", *lines(30, 31))
    world.read()
    # As if the look had seen the last line and not yet the copy.
    (world.logs / "access.log.1").rename(world.root / "aside")
    world.turn()
    (world.root / "aside").rename(world.logs / "access.log.1")
    os.truncate(world.logs / "access.log", 0)
    world.settle()
    assert world.texts() == list(lines(0, 31))


def test_two_logs_that_begin_alike_are_both_handed_over(world: World) -> None:
    world.write("a.log", *lines(0, 3))
    world.turn(2)
    world.write("b.log", *lines(0, 2))
    world.turn(2)
    assert world.texts(of="b.log") == []
    assert world.files.states()["perhaps_copy"] == 1
    world.turn(after_s=GRACE_S)
    assert world.texts(of="b.log") == list(lines(0, 2))
    assert world.texts(of="a.log") == list(lines(0, 3))


def test_a_log_that_differs_later_need_not_wait(world: World) -> None:
    world.write("a.log", *lines(0, 3))
    world.turn(2)
    world.write("b.log", *lines(0, 2), *lines(7, 8))
    world.turn(2)
    assert world.texts(of="b.log") == [*lines(0, 2), *lines(7, 8)]


def test_truncation_in_place_begins_a_new_generation_and_counts_what_is_lost(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn()
    world.write("access.log", *lines(3, 5))
    world.look()  # seen, not read
    os.truncate(world.logs / "access.log", 0)
    world.write("access.log", *lines(10, 20))
    world.turn(3)
    assert world.texts() == [*lines(0, 3), *lines(10, 20)]
    assert len(world.generations()) == 2
    assert world.files.counts.lost_bytes == sum(len(line) + 1 for line in lines(3, 5))
    assert world.files.counts.rotations["truncated"] == 1


def test_a_file_that_was_rewritten_behind_its_fingerprint_while_nobody_looked(world: World) -> None:
    world.write("access.log", *lines(0, 40))
    world.turn(2)
    world.kill()
    (world.logs / "access.log").write_text("\n".join([*lines(0, 20), *lines(100, 140), ""]))
    world.start()
    world.turn(2)
    assert world.texts() == [*lines(0, 40), *lines(0, 20), *lines(100, 140)]
    assert len(world.generations()) == 2


def test_rewriting_with_the_same_length_is_noticed(world: World) -> None:
    world.write("access.log", *lines(10, 12))
    world.turn(2)
    (world.logs / "access.log").write_text("\n".join([*lines(20, 22), ""]))
    world.turn(2)
    assert world.texts() == [*lines(10, 12), *lines(20, 22)]
    assert len(world.generations()) == 2


def test_a_file_that_shrinks_between_look_and_read(world: World) -> None:
    world.write("access.log", *lines(0, 40))
    world.look()
    os.truncate(world.logs / "access.log", 100)
    world.read()
    world.turn(3)
    first = lines(0, 1)[0]
    assert world.texts()[0] == first
    assert world.files.counts.rotations["truncated"] >= 1


def test_deletion_while_open_loses_nothing(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn()
    with (world.logs / "access.log").open("a") as server:
        server.write("\n".join([*lines(3, 5), ""]))
        server.flush()
        (world.logs / "access.log").unlink()
        world.turn()
        server.write("\n".join([*lines(5, 6), "the last words"]))
        server.flush()
        world.turn()
        world.settle()
    assert world.texts() == [*lines(0, 6), "the last words"]
    assert (world.files.counts.lost_bytes, world.files.counts.lost_possible) == (0, 0)
    assert world.stored() == []


def test_deletion_while_nobody_looks_is_told(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    world.kill()
    (world.logs / "access.log").unlink()
    world.start()
    world.turn(2)
    assert world.files.counts.lost_possible == 1
    world.restart()
    world.turn(2)
    assert world.files.counts.lost_possible == 0


def test_the_end_of_a_finished_file_is_no_loss(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.settle()
    world.kill()
    (world.logs / "access.log.1").unlink()
    world.start()
    world.turn(2)
    assert world.files.counts.lost_possible == 0


def test_a_file_that_was_away_for_a_while_is_the_same_one(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    world.kill()
    world.logs.rename(world.root / "unmounted")
    world.start()
    world.turn(2)
    (world.root / "unmounted").rename(world.logs)
    world.write("access.log", *lines(30, 31))
    world.settle()
    assert world.texts() == list(lines(0, 31))
    assert world.repeats == 0


def test_a_file_that_was_moved_over_file_systems_while_nobody_looked(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    world.kill()
    shutil.copy(world.logs / "access.log", world.logs / "access.log.1")
    (world.logs / "access.log").unlink()
    world.write("access.log.1", *lines(30, 31))
    world.start()
    world.settle()
    assert world.texts() == list(lines(0, 31))


def test_an_inode_that_is_used_again_is_another_generation(world: World) -> None:
    world.write("access.log", *lines(0, 3))
    world.turn(2)
    inode = (world.logs / "access.log").stat().st_ino
    world.kill()
    (world.logs / "access.log").unlink()
    world.write("access.log", *lines(10, 20))
    if (world.logs / "access.log").stat().st_ino != inode:
        # This file system gives another one: put the stored generation under it, which is the same to the follower.
        saved = [replace(one, key=Key.of((world.logs / "access.log").stat())) for one in world.stored()]
        state = StateFile(world.root / "state")
        state.load()
        state.save_twice(saved)
    world.start()
    world.turn(2)
    assert world.texts() == [*lines(0, 3), *lines(10, 20)]
    assert len(world.generations()) == 2


def test_a_file_that_another_is_renamed_over(world: World) -> None:
    world.write("a.log", *lines(0, 3))
    world.write("b.log", *lines(10, 13))
    world.turn(2)
    world.write("a.log", *lines(3, 4))
    (world.logs / "b.log").rename(world.logs / "a.log")
    world.write("a.log", *lines(13, 14))
    world.settle()
    assert sorted(world.texts()) == sorted([*lines(0, 4), *lines(10, 14)])
    assert len(world.generations()) == 2


def test_an_edited_copy_that_takes_the_name_is_read_behind_what_is_known(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    shutil.copy(world.logs / "access.log", world.root / "edited")
    (world.root / "edited").rename(world.logs / "access.log")
    world.turn(2)
    world.write("access.log", *lines(30, 31))
    world.settle()
    assert world.texts() == list(lines(0, 31))


def test_half_a_line_waits_for_its_end(world: World) -> None:
    world.append("access.log", b"first half, ")
    world.turn(3)
    world.turn(after_s=100 * QUIET_S)
    assert world.texts() == []
    world.append("access.log", b"second half\n")
    world.turn(2)
    assert world.texts() == ["first half, second half"]


def test_half_a_line_that_is_whole_in_a_copy_is_sent_whole_alone(world: World) -> None:
    world.append("access.log", b"first half, ")
    world.turn(2)
    world.append("access.log", b"second half\n")
    world.copy_truncate("access.log", "access.log.1")
    world.settle()
    assert world.texts() == ["first half, second half"]


def test_half_a_line_of_a_rotated_file_is_taken_for_whole_once_it_is_quiet(world: World) -> None:
    world.append("access.log", b"whole\nhalf")
    world.turn(2)
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.turn()
    assert world.texts() == ["whole"]
    world.append("access.log.1", b" and more")
    world.turn(after_s=QUIET_S - 0.1)
    assert world.texts() == ["whole"]
    world.settle()
    assert world.texts() == ["whole", "half and more"]
    world.kill()
    world.append("access.log.1", b", later\n")
    world.start()
    world.settle()
    assert world.texts() == ["whole", "half and more", ", later"]


def test_a_cut_line_stays_cut_over_a_kill(world: World) -> None:
    world.append("access.log", b"half")
    world.turn(2)
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.look(1)
    world.look(QUIET_S + 1)
    world.read(acknowledge=False)
    assert world.texts() == ["half"]
    world.kill()
    world.append("access.log.1", b" and more\n")
    world.start()
    world.settle()
    assert world.texts() == ["half", " and more"]


def test_a_symlinked_folder_is_followed_and_a_link_to_a_file_is_not(tmp_path: Path) -> None:
    world = World(tmp_path, pattern="../link/*.log*")
    (tmp_path / "link").symlink_to(world.logs)
    (tmp_path / "secret").write_text("no log\n")
    (world.logs / "other.log").symlink_to(tmp_path / "secret")
    world.write("access.log", *lines(0, 2))
    world.turn()
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.write("access.log.1", *lines(2, 3))
    world.turn()
    assert world.texts() == list(lines(0, 3))
    assert world.files.states()["refused"] == 1


def test_what_a_rotation_compresses_is_no_log(world: World) -> None:
    world.write("access.log", *lines(0, 30))
    world.turn(2)
    (world.logs / "access.log").rename(world.logs / "access.log.1")
    world.turn(2)
    (world.logs / "access.log.1.gz").write_bytes(gzip.compress((world.logs / "access.log.1").read_bytes()))
    (world.logs / "access.log.1").unlink()
    world.settle()
    assert world.texts() == list(lines(0, 30))
    assert (world.files.counts.lost_bytes, world.files.counts.lost_possible) == (0, 0)


def test_two_names_of_one_file_are_one_file(world: World) -> None:
    world.write("access.log", *lines(0, 2))
    os.link(world.logs / "access.log", world.logs / "same.log")
    world.turn(2)
    assert world.texts() == list(lines(0, 2))


def test_an_unreadable_file_is_read_once_it_may_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("closed.log", *lines(0, 2))
    world.write("open.log", *lines(10, 12))
    real, closed = os.open, str(world.logs / "closed.log")

    def refusing(path: object, *rest: int, **more: int) -> int:
        # Who runs the tests may be root, whom no permission stops.
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return real(path, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing)
        world.turn(2)
        assert world.texts() == list(lines(10, 12))
        assert world.files.states()["unreadable"] == 1
        assert world.files.counts.file_errors >= 1
    world.turn(2)
    assert sorted(world.texts()) == sorted([*lines(0, 2), *lines(10, 12)])
    assert world.files.states()["unreadable"] == 0


def test_a_very_long_line_is_given_by_its_first_bytes(tmp_path: Path) -> None:
    world = World(tmp_path, limits={"max_line_bytes": 1000})
    world.append("access.log", b"before\n" + b"x" * 300_000 + b"\nafter\n")
    world.turn(2)
    assert [len(text) for text in world.texts()] == [6, 1000, 5]
    assert [offset for _, offset in world.shipped] == [0, 7, 7 + 300_001]


def test_nul_bytes_are_bytes(world: World) -> None:
    world.append("access.log", b"a\0b\n" + bytes(5000) + b"tail\n")
    world.turn(2)
    assert world.texts() == ["a\0b", "\0" * 5000 + "tail"]
