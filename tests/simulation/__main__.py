"""Run many schedules on all cores: `python -m tests.simulation --schedules 20000`."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.faults import KINDS, empty_cells
from tests.simulation.runs import Summary, run_all
from tests.simulation.worker import STATES

ENOUGH_FOR_EVERY_CELL = 5_000
MOST_SHOWN = 20


def matrix(cells: Counter[tuple[str, str]]) -> list[str]:
    """Lines of the table of fault by what the worker was doing."""
    kinds = sorted(KINDS)
    width = max(len(kind) for kind in kinds)
    lines = [" " * width + "".join(f"{state:>21}" for state in STATES)]
    lines += [f"{kind:{width}}" + "".join(f"{cells[kind, state]:>21}" for state in STATES) for kind in kinds]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the matrix; exit code 1 for a broken promise or, with enough schedules, an empty cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--seed", type=int, help="of the first schedule; drawn and printed when left out")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--junitxml", type=Path, help="a file for how many schedules ran and failed")
    options = parser.parse_args(arguments)
    first = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    total, started = Summary(), time.monotonic()
    for part in run_all(first, options.schedules, options.processes):
        total.add(part)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{total.schedules} of {options.schedules}")
    empty = empty_cells(total.cells) if options.schedules >= ENOUGH_FOR_EVERY_CELL else []
    elapsed_s = time.monotonic() - started
    lines = (
        _as_json(total, first, elapsed_s, empty) if options.json else _as_text(total, first, elapsed_s, empty)
    )
    sys.stdout.write("\n".join(lines) + "\n")
    if options.junitxml is not None:
        ran, failed = total.schedules + len(total.broken), len(total.broken) + len(empty)
        options.junitxml.write_text(
            f'<testsuites><testsuite name="simulation" tests="{ran}" failures="{failed}" skipped="0"/></testsuites>\n'
        )
    return 1 if total.broken or empty else 0


def _as_json(total: Summary, first: int, elapsed_s: float, empty: list[tuple[str, str]]) -> list[str]:
    figures = {
        "first_seed": first,
        "schedules": total.schedules,
        "records": total.records,
        "repeats": total.repeats,
        "seconds": round(elapsed_s, 1),
        "broken": total.broken,
        "empty_cells": empty,
    }
    return [json.dumps(figures)]


def _as_text(total: Summary, first: int, elapsed_s: float, empty: list[tuple[str, str]]) -> list[str]:
    return [
        *matrix(total.cells),
        "",
        f"{total.schedules} schedules from seed {first} in {elapsed_s:.0f} s: {total.records} records, "
        f"{total.repeats} handled again, {len(total.broken)} promises broken",
        *(f"seed {seed}: {what}" for seed, what in sorted(total.broken.items())[:MOST_SHOWN]),
        *(f"never met: {kind}, {state}" for kind, state in empty),
    ]


if __name__ == "__main__":
    sys.exit(main())
