"""The demonstration says OK only where every section is, and its JSON stands alone on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.local import control, demo
from deploy.local.layout import Layout
from deploy.local.section import Context, Section
from deploy.local.target import Target


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = cast(
        Target, SimpleNamespace(layout=Layout(tmp_path), order_ingest="http://in", storefront="http://out")
    )
    monkeypatch.setattr(demo, "start_fresh", lambda _: target)
    monkeypatch.setattr(Target, "current", lambda: target)


def sections(monkeypatch: pytest.MonkeyPatch, *ok: bool) -> None:
    def one(name: str, well: bool) -> Callable[[Context], Any]:
        async def run(_: Context) -> Section:
            rows = [("lines", "1")]
            return Section(name, f"Section {name}", well, rows, ["a note"], {"lines": 1})

        return run

    monkeypatch.setattr(demo, "SECTIONS", {f"s{n}": one(f"s{n}", well) for n, well in enumerate(ok)})


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(("ok", "code"), [((True, True), 0), ((True, False), 1)])
def test_every_section_has_to_be_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ok: tuple[bool, bool], code: int
) -> None:
    sections(monkeypatch, *ok)
    assert demo.main(["--json"]) == code
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["ok"] is (code == 0)
    assert document["sections"] == {"s0": {"lines": 1}, "s1": {"lines": 1}}
    assert "Section s1" in err
    assert ("OK" in err) is (code == 0)


@pytest.mark.usefixtures("started")
def test_one_section_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sections(monkeypatch, True, False)
    assert demo.main(["--only", "s0"]) == 0
    shown = capsys.readouterr().out
    assert "Section s0" in shown
    assert "Section s1" not in shown


@pytest.mark.parametrize(
    "failure",
    [
        control.NotUp("no port"),
        RuntimeError("no port"),
        ExceptionGroup("one of", [ExceptionGroup("all", [OSError("no port")])]),
    ],
)
def test_a_failure_is_one_sentence_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: Exception
) -> None:
    def fail(say: Callable[[str], None]) -> Target:
        raise failure

    monkeypatch.setattr(demo, "start_fresh", fail)
    assert demo.main([]) == 1
    assert "FAILED:" in capsys.readouterr().out
