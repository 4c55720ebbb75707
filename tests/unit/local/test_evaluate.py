"""What `make evaluate` is told, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import evaluate, order_lines_file, spark
from deploy.local.job import Ran


def test_cut_offs_are_days_in_order() -> None:
    assert evaluate._cutoffs("2011-10-10, 2011-08-31,2011-10-10") == ["2011-08-31", "2011-10-10"]


@pytest.mark.parametrize("text", ["", "2011-13-01", "October"])
def test_a_cut_off_that_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["--cutoffs", text])


async def _ended(code: int) -> dict[str, dict[str, float]]:
    raise evaluate.Failed(Ran("Spark's part", code, 1.0, told=["last words"]))


@pytest.mark.parametrize(("code", "expected"), [(65, 65), (-9, 70)])
def test_a_failed_step_gives_its_code_and_its_last_words(
    code: int,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CADABRA_LOCAL_DIR", str(tmp_path))
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: _ended(code))
    assert evaluate.main([]) == expected
    told = capsys.readouterr()
    assert told.out == ""
    assert f"Spark's part ended with {code}:\nlast words" in told.err


def test_without_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CADABRA_LOCAL_DIR", str(tmp_path))
    monkeypatch.setattr(order_lines_file, "write", lambda _: 0)
    monkeypatch.setattr(spark, "PYTHON", tmp_path / "nowhere")
    assert evaluate.main([]) == 69
    assert "run make setup" in capsys.readouterr().err


def test_memory_is_of_what_runs_at_once() -> None:
    took = evaluate._took(
        [Ran("a", 0, 1.0, 2.0, 100), Ran("b", 0, 3.0, 2.0, 300), Ran("c", 0, 1.0, 1.0, 200)]
    )
    assert took == {"elapsed_s": 3.0, "cpu_s": 5.0, "peak_bytes": 500}
