"""Logs of a run stay bounded, and lines stay whole."""

from __future__ import annotations

from pathlib import Path

from deploy.local.run_logs import BoundedFile, RunLogs


def test_pieces_become_whole_lines(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)

    logs.take("a", b"one\ntw")
    logs.take("b", b"other\n")
    logs.take("a", b"o\nrest")
    logs.take("a", b"")
    logs.close()

    assert logs.path("a").read_text() == "one\ntwo\nrest\n"
    assert [line.split("| ") for line in (tmp_path / "all.log").read_text().splitlines()] == [
        ["a                 ", "one"],
        ["b                 ", "other"],
        ["a                 ", "two"],
        ["a                 ", "rest"],
    ]


def test_a_line_without_end_does_not_grow_in_memory(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)

    for _ in range(3):
        logs.take("a", b"x" * 50_000)
    logs.close()

    assert logs.path("a").stat().st_size == 100_001


def test_a_full_file_makes_room(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "x.log", max_bytes=100)
    for number in range(100):
        file.write(f"line {number}\n".encode())
    file.close()

    assert (tmp_path / "x.log").stat().st_size <= 100
    assert (tmp_path / "x.log.1").stat().st_size <= 100
    assert (tmp_path / "x.log").read_text().endswith("line 99\n")
