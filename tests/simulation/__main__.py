"""Run many schedules on all cores: `python -m tests.simulation --schedules 20000`."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.schedule import empty_cells, play
from tests.simulation.worker import STATES

CHUNK = 50
ENOUGH_FOR_EVERY_CELL = 5_000


@dataclass
class Summary:
    """What a run of schedules showed, together."""

    schedules: int = 0
    records: int = 0
    repeats: int = 0
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def add(self, other: Summary) -> None:
        """Count another run in."""
        self.schedules += other.schedules
        self.records += other.records
        self.repeats += other.repeats
        self.cells += other.cells
        self.broken.update(other.broken)


def run_seeds(seeds: Sequence[int]) -> Summary:
    """Play schedules one after another in this process."""
    logging.disable(logging.CRITICAL)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _details: None  # coroutines of killed workers
    found = Summary()
    gc.disable()
    try:
        for seed in seeds:
            try:
                result = play(seed)
            except Exception as error:  # noqa: BLE001 - whatever it is, the seed shows it again
                found.broken[seed] = f"{type(error).__name__}: {error}"
                continue
            found.schedules += 1
            found.records += result.records
            found.repeats += result.repeats
            found.cells += result.cells
        gc.collect()
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook
    return found


def run_all(first: int, count: int, processes: int) -> Iterator[Summary]:
    """Play `count` schedules from seed `first` on, chunk by chunk over several processes."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(run_seeds, chunks)


def matrix(cells: Counter[tuple[str, str]]) -> list[str]:
    """Lines of the table of fault by what the worker was doing."""
    kinds = sorted({kind for kind, _ in cells})
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
    options = parser.parse_args(arguments)
    first = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    total, started = Summary(), time.monotonic()
    for part in run_all(first, options.schedules, options.processes):
        total.add(part)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{total.schedules} of {options.schedules}")
    empty = empty_cells(total.cells) if options.schedules >= ENOUGH_FOR_EVERY_CELL else []
    _print(total, first, time.monotonic() - started, empty, options.json)
    return 1 if total.broken or empty else 0


def _print(total: Summary, first: int, elapsed_s: float, empty: list[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        figures = {
            "first_seed": first,
            "schedules": total.schedules,
            "records": total.records,
            "repeats": total.repeats,
            "seconds": round(elapsed_s, 1),
            "broken": total.broken,
            "empty_cells": empty,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    sys.stdout.write("\n".join(matrix(total.cells)) + "\n\n")
    sys.stdout.write(
        f"{total.schedules} schedules from seed {first} in {elapsed_s:.0f} s: {total.records} records, "
        f"{total.repeats} handled again, {len(total.broken)} promises broken\n"
    )
    for seed, what in sorted(total.broken.items())[:20]:
        sys.stdout.write(f"seed {seed}: {what}\n")
    for kind, state in empty:
        sys.stdout.write(f"never met: {kind}, {state}\n")


if __name__ == "__main__":
    sys.exit(main())
