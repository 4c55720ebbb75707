"""Runs the tests tier by tier, the cheap ones first, and sums up: `python -m deploy.local.tiers [tier]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import ROOT

TIERS = ("unit", "simulation", "suites", "component", "fault", "system")
SCHEDULES = 20_000
# Fixed, so that a run judges the code and not the draw; `python -m tests.simulation` draws others and prints them.
FIRST_SEED = 20_260_101
# Tiers whose tests load no machine on purpose run on both cores; a file stays on one, with its fixtures and engines.
_ON_BOTH_CORES = ("-n", "2", "--dist", "loadfile")
_PARALLEL = dict.fromkeys(("unit", "suites"), _ON_BOTH_CORES)
_OUTCOMES = {0: "passed", 1: "FAILED", 2: "interrupted", 5: "FAILED: no tests"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tier gave.

    Args:
        code: pytest's exit code; only 0 is good, so that a tier without tests (5) fails.
    """

    tier: str
    code: int
    tests: int
    skipped: int
    took_s: float


def run(tier: str) -> Outcome:
    """Run one tier; its output goes to the terminal."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = subprocess.run(_command(tier, report), cwd=ROOT, check=False).returncode
        tests, skipped = _counts(report)
    return Outcome(tier, code or (1 if skipped else 0), tests, skipped, time.monotonic() - started)


def _command(tier: str, report: Path) -> list[str]:
    """What runs a tier: pytest, or for the simulation its own command, which uses all cores and counts schedules."""
    if tier == "simulation":
        command = ["tests.simulation", "--schedules", str(SCHEDULES), "--seed", str(FIRST_SEED)]
    else:
        command = ["pytest", "-q", f"tests/{tier}", *_PARALLEL.get(tier, ())]
    return [sys.executable, "-m", *command, f"--junitxml={report}"]


def _counts(report: Path) -> tuple[int, int]:
    """How many tests ran, and how many of them were skipped: none may be, for a skip hides a missing engine."""
    if not report.is_file():
        return 0, 0
    suites = ET.parse(report).getroot().findall("testsuite")  # noqa: S314 - pytest wrote it just now
    return (
        sum(int(suite.get("tests", 0)) for suite in suites),
        sum(int(suite.get("skipped", 0)) for suite in suites),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a tier, and one for all."""
    lines = [f"{'tier':<12}{'tests':>6}{'time':>10}  result"]
    for outcome in outcomes:
        result = _OUTCOMES.get(outcome.code, f"FAILED ({outcome.code})")
        skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
        lines.append(f"{outcome.tier:<12}{outcome.tests:>6}{outcome.took_s:>8.1f} s  {result}{skipped}")
    took_s, tests = sum(one.took_s for one in outcomes), sum(one.tests for one in outcomes)
    all_well = "passed" if all(one.code == 0 for one in outcomes) else "FAILED"
    lines.append(f"{'all':<12}{tests:>6}{took_s:>8.1f} s  {all_well}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one tier or all; 1 if any fails, has no tests or skips one."""
    parser = argparse.ArgumentParser(prog="deploy.local.tiers", description=__doc__)
    parser.add_argument("tier", nargs="?", choices=TIERS, help="this one alone")
    options = parser.parse_args(arguments)
    outcomes = []
    for tier in [options.tier] if options.tier else TIERS:
        print(f"--- {tier}", flush=True)
        outcomes.append(run(tier))
    print("\n" + table(outcomes), flush=True)
    return 0 if all(outcome.code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
