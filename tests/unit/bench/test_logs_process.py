"""A process of the log bench is measured from its start to its end, and one that fails is not measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.logs import bento
from bench.logs.absence import Absent, last_line, present
from bench.logs.process import Command, run


def test_what_a_process_used_and_said(tmp_path: Path) -> None:
    code = "held = bytearray(64 << 20); sum(range(10_000_000)); print(len(held))"
    took = run(Command([sys.executable, "-c", code], {}), tmp_path)
    assert took.said == f"{64 << 20}\n"
    assert took.cpu_s > 0
    assert 64 < took.peak_rss_mb < 256


def test_output_may_go_to_a_file(tmp_path: Path) -> None:
    output = tmp_path / "output"
    took = run(Command([sys.executable, "-c", "print(1)"], {}, output), tmp_path)
    assert (took.said, output.read_text()) == ("", "1\n")


def test_a_process_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="that was all"):
        run(Command([sys.executable, "-c", "raise SystemExit('that was all')"], {}), tmp_path)


def test_without_go_bento_is_absent_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Absent, match="no `go` on the PATH"):
        bento.program(tmp_path)


def test_who_is_absent_is_named_with_the_reason_and_the_rest_goes_on() -> None:
    def absent(*names: str) -> list[str]:
        raise Absent(f"no {len(names)} of them")

    found, reasons = present(
        [(["a"], lambda name: [name]), (["b", "c"], absent), (["d"], lambda name: [name])]
    )
    assert found == ["a", "d"]
    assert reasons == {"b": "no 2 of them", "c": "no 2 of them"}


def test_the_reason_is_one_line() -> None:
    assert last_line("first\nE: no such package\n\n") == "E: no such package"
    assert last_line("") == "no message"
