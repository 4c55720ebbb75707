"""How a tier is run, and what counts as a failure of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy.local import tiers
from deploy.local.layout import ROOT


def test_the_simulation_runs_20000_schedules_from_a_fixed_seed_on_all_cores() -> None:
    command = tiers._command("simulation", Path("report.xml"))
    assert command[:3] == [sys.executable, "-m", "tests.simulation"]
    assert command[command.index("--schedules") + 1] == "20000"
    assert command[command.index("--seed") + 1] == str(tiers.FIRST_SEED)
    assert "--processes" not in command


@pytest.mark.parametrize("tier", [tier for tier in tiers.TIERS if tier != "simulation"])
def test_every_other_tier_is_a_folder_of_tests(tier: str) -> None:
    assert f"tests/{tier}" in tiers._command(tier, Path("report.xml"))
    assert (ROOT / "tests" / tier).is_dir()


def test_tests_and_skips_are_counted_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="7" skipped="1"/></testsuites>')
    assert tiers._counts(report) == (7, 1)
    assert tiers._counts(tmp_path / "none.xml") == (0, 0)
