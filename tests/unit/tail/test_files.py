"""Following one file: growth, half lines, truncation, replacement, other content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from services.kernel.tail.files import FileChanged, FileReplaced, FileShort, FileTail, FileVanished
from services.kernel.tail.lines import Line
from services.kernel.tail.prefix import START, Mark


def mark(content: bytes) -> Mark:
    """The mark after this content."""
    return Mark(len(content), hashlib.sha256(content).hexdigest())


async def read_all(tail: FileTail) -> list[Line]:
    """Everything up to the present end, marks taken as a caller takes them."""
    lines: list[Line] = []
    while True:
        before = tail.read_offset
        lines += await tail.next_lines()
        tail.mark_line_start()
        if tail.read_offset == before:
            return lines


def append(path: Path, data: bytes) -> None:
    """What a writer does."""
    with path.open("ab") as file:
        file.write(data)


async def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"one\ntw")
    tail = FileTail(path)
    await tail.open()
    assert await read_all(tail) == [Line(0, b"one", 4)]
    assert tail.unfinished_bytes == 2
    assert tail.mark_line_start() == mark(b"one\n")
    append(path, b"o\n")
    assert await read_all(tail) == [Line(4, b"two", 8)]
    assert tail.unfinished_bytes == 0
    tail.close()


async def test_goes_on_from_a_proven_position_in_small_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    content = b"".join(b"%d,%s\n" % (n, b"x" * (n % 37)) for n in range(2000))
    path.write_bytes(content)
    at = content.index(b"\n", 5000) + 1
    tail = FileTail(path, block_bytes=777)
    await tail.open(mark(content[:at]))
    lines = await read_all(tail)
    assert b"".join(line.text + b"\n" for line in lines) == content[at:]
    assert lines[0].offset == at
    assert tail.mark_line_start() == mark(content)
    tail.close()


async def test_other_bytes_before_the_position_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"other\nbytes\n")
    tail = FileTail(path)
    with pytest.raises(FileChanged) as changed:
        await tail.open(mark(b"first\n"))
    assert changed.value.head == b"other\nbytes\n"
    assert changed.value.found_sha256 == hashlib.sha256(b"other\n").hexdigest()


async def test_a_file_shorter_than_the_position_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"fir")
    with pytest.raises(FileShort) as short:
        await FileTail(path).open(mark(b"first\n"))
    assert short.value.size_bytes == 3


@pytest.mark.parametrize("change", ["truncate", "rewrite same size", "rewrite longer", "rename over"])
async def test_a_change_under_the_reader_asks_for_proof_again(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"first\nsecond\n")
    tail = FileTail(path)
    await tail.open()
    await read_all(tail)
    if change == "truncate":
        path.write_bytes(b"fi")
    elif change == "rewrite same size":
        path.write_bytes(b"FIRST\nsecond\n")
        os.utime(path, ns=(1, 1))
    elif change == "rewrite longer":
        path.write_bytes(b"FIRST\nSECOND\nthird\n")
    else:
        other = tmp_path / "other"
        other.write_bytes(b"first\nsecond\nthird\n")
        other.rename(path)
    with pytest.raises(FileReplaced):
        await read_all(tail)
    tail.close()


async def test_a_copy_with_the_same_bytes_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"first\n")
    tail = FileTail(path)
    await tail.open()
    await read_all(tail)
    at = tail.mark_line_start()
    path.unlink()
    with pytest.raises(FileVanished):
        await tail.next_lines()
    path.write_bytes(b"first\nsecond\n")
    await tail.open(at)
    assert await read_all(tail) == [Line(6, b"second", 13)]
    tail.close()


async def test_a_long_line_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    content = b"a\n" + b"x" * 50_000 + b"\nb\n"
    path.write_bytes(content)
    tail = FileTail(path, max_line_bytes=100, block_bytes=1000)
    await tail.open()
    a, long, b = await read_all(tail)
    assert (a.text, b.text) == (b"a", b"b")
    assert (len(long.text), long.size_bytes) == (100, 50_000)
    assert tail.mark_line_start() == mark(content)
    tail.close()


async def test_links_and_folders_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x\n")
    (tmp_path / "link.csv").symlink_to("real")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OSError, match=r"link\.csv"):
        await FileTail(tmp_path / "link.csv").open()
    with pytest.raises(FileVanished):
        await FileTail(tmp_path / "folder.csv").open()
    with pytest.raises(FileVanished):
        await FileTail(tmp_path / "none.csv").open()


async def test_an_empty_file_is_read_once_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    tail = FileTail(path)
    await tail.open(START)
    assert await read_all(tail) == []
    append(path, b"a\n")
    assert await read_all(tail) == [Line(0, b"a", 2)]
    tail.close()
