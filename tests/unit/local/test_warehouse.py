"""What a refresh of the warehouse shows and how it ends: a failed job's own exit code, 1 where lines differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.local import demo_warehouse, drain, job, replay, warehouse
from deploy.local.drain import Stuck
from deploy.local.job import Ran
from deploy.local.layout import Layout
from deploy.local.ledger import Ledger
from deploy.local.lines_compare import LineReport, Pair
from deploy.local.section import Context
from deploy.local.target import NotRunning, Target
from deploy.local.warehouse import COPY, LOAD, MAINTAIN, Refreshed

PLACES = ("raw", "store", "lake", "star", "warehouse")


def a_report(**changed: Any) -> LineReport:
    lines = dict.fromkeys(PLACES, replay.ALL_LINES)
    filled: dict[str, Any] = {
        "lines": {**lines, "lake": replay.ALL_LINES + 20},
        "replayed": lines,
        "pairs": [Pair("raw", "lake"), Pair("store", "lake")],
        "sums": 942,
        "revenue": "9747747.9340",
        "rows": {"fact_order_lines": replay.ALL_LINES + 20},
        "rows_differing": {"fact_order_lines": 0},
        "objects": 400,
        "lines_landed": replay.ALL_LINES + 25,
        **changed,
    }
    return LineReport(**filled)


class Platform:
    """A platform whose jobs answer as the test says, and whose places are compared to what it says."""

    def __init__(self, folder: Any) -> None:
        self.codes = {LOAD: 0, COPY: 0, MAINTAIN: 0}
        self.results: dict[str, dict[str, Any]] = {
            LOAD: {"new_lines": 7},
            COPY: {"loaded": ["a run"]},
            MAINTAIN: {},
        }
        self.report = a_report()
        self.ran: list[str] = []
        self.environments: list[dict[str, str]] = []
        self.waits: Exception | None = None
        self.target = cast(
            Target,
            SimpleNamespace(
                layout=Layout(folder),
                run_id="run",
                namespace="cadabra",
                ledger_file=folder / "ledger.jsonl",
                aws="http://127.0.0.1:1",
                postgresql="postgresql://127.0.0.1:2/p",
            ),
        )

    async def run(self, name: str, command: list[str], environment: dict[str, str], say: Any) -> Ran:
        self.ran.append(name)
        self.environments.append(environment)
        say(f"{name} ...")
        return Ran(name, self.codes[name], 30.0, 40.0, 2**31, self.results[name], ["the last words"])

    async def compare(self, target: Target, ledger: Ledger) -> LineReport:
        return self.report

    async def drained(self, *_: object, **__: object) -> float:
        if self.waits:
            raise self.waits
        return 3.0


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Platform:
    one = Platform(tmp_path)
    monkeypatch.setattr(Target, "current", lambda: one.target)
    monkeypatch.setattr(job, "run", one.run)
    monkeypatch.setattr(warehouse, "compare", one.compare)
    monkeypatch.setattr(drain, "until_drained", one.drained)
    monkeypatch.setattr(demo_warehouse, "ask", lambda _: ["RED MUG 7"])
    return one


def test_it_loads_copies_compares_and_shows_what_it_found(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert warehouse.main(["--json"]) == 0

    out, err = capsys.readouterr()
    document = json.loads(out)
    assert platform.ran == [LOAD, COPY]
    assert (document["ok"], document["loaded_s"], document["peak_bytes"]) == (True, 60.0, 2**31)
    assert document["report"]["ok"] is True
    assert "541,909 and 20 of other senders" in err
    assert "60.0 s, within the goal of 90 s" in err
    assert "942, 0 of them differ" in err
    assert "equal, line by line" in err
    assert "no change" not in err


def test_a_load_that_had_nothing_to_do_is_said_to_have_changed_nothing(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.results = {LOAD: {"run": None, "new_lines": 0, "finished": None}, COPY: {"loaded": []}}
    assert warehouse.main([]) == 0
    assert capsys.readouterr().out.count("no change") == 2

    platform.results[LOAD]["finished"] = "another run"
    assert warehouse.main([]) == 0
    assert capsys.readouterr().out.count("no change") == 1


def test_jobs_know_this_platform_and_no_other(platform: Platform) -> None:
    warehouse.main([])

    for environment in platform.environments:
        assert (
            environment["CADABRA_S3_ENDPOINT"] == environment["CADABRA_GLUE_ENDPOINT"] == "http://127.0.0.1:1"
        )
        assert environment["CADABRA_REDSHIFT_ENDPOINT"] == "postgresql://127.0.0.1:2/p"
        assert environment["AWS_ACCESS_KEY_ID"] == "local"
        assert environment["CADABRA_RUN_ID"] == "run"


def test_maintenance_comes_last_and_when_it_is_asked_for(platform: Platform) -> None:
    assert warehouse.main(["--maintain"]) == 0
    assert platform.ran == [LOAD, COPY, MAINTAIN]


@pytest.mark.parametrize(("failing", "code", "ran"), [(LOAD, 65, [LOAD]), (COPY, 75, [LOAD, COPY])])
def test_a_jobs_exit_code_is_passed_on(
    platform: Platform, capsys: pytest.CaptureFixture[str], failing: str, code: int, ran: list[str]
) -> None:
    platform.codes[failing] = code

    assert warehouse.main([]) == code

    shown = capsys.readouterr().out
    assert platform.ran == ran
    assert f"ended with {code}" in shown
    assert "the last words" in shown


def test_a_difference_is_told_and_fails_it(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.report = a_report(pairs=[Pair("raw", "lake", missing=1, told=["lake, missing: shop/1 line 1"])])

    assert warehouse.main([]) == 1

    shown = capsys.readouterr().out
    assert "lake, missing: shop/1 line 1" in shown
    assert "equal, line by line" not in shown


def test_a_platform_that_stands_still_or_is_not_there_fails_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.waits = Stuck("nothing moved")
    assert warehouse.main([]) == 1

    def nothing_runs() -> Target:
        raise NotRunning("nothing runs in here")

    monkeypatch.setattr(Target, "current", nothing_runs)
    assert warehouse.main([]) == 1

    shown = capsys.readouterr().out
    assert "FAILED: nothing moved" in shown
    assert "FAILED: nothing runs in here" in shown


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        (lambda _: None, True),
        (lambda one: one.codes.update({COPY: 75}), False),
        (lambda one: setattr(one, "report", a_report(sums_differing=["lake: 2010-12 EIRE"])), False),
        (lambda one: one.report.replayed.update(raw=replay.ALL_LINES - 1), False),
    ],
)
async def test_the_section_is_well_when_all_of_the_raw_file_is_everywhere(
    platform: Platform, change: Callable[[Platform], None], ok: bool
) -> None:
    with Ledger(platform.target.ledger_file, "run") as ledger:
        ledger.order("shop", "1", 1, "acknowledged")
    change(platform)

    section = await demo_warehouse.run(Context(platform.target, print))

    assert section.ok is ok
    assert ("RED MUG 7" in section.notes) is ok
    assert section.result["jobs"][LOAD]["code"] == 0


def test_the_peak_is_the_largest_jobs() -> None:
    done = Refreshed(jobs=[Ran(LOAD, 0, 1.0, peak_bytes=7), Ran(COPY, 0, 2.0, peak_bytes=9)])
    assert (done.peak_bytes, done.loaded_s) == (9, 3.0)
    assert done.code == 1  # nothing was compared
