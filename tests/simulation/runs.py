"""Many schedules one after another, over several processes, and what they showed together."""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.simulation.schedule import play

CHUNK = 100


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


@contextmanager
def quietly() -> Iterator[None]:
    """Play schedules in here: without logs, without collections in the middle, and in silence about how the
    coroutines of killed workers end, which no process would live to see."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _details: None
    logging.disable(logging.CRITICAL)
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
            gc.collect()
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook


def run_seeds(seeds: Sequence[int]) -> Summary:
    """Play schedules one after another in this process."""
    found = Summary()
    with quietly():
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
    return found


def run_all(first: int, count: int, processes: int) -> Iterator[Summary]:
    """Play `count` schedules from seed `first` on, chunk by chunk over several processes."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(processes, initializer=gc.freeze) as pool:
        yield from pool.map(run_seeds, chunks)
