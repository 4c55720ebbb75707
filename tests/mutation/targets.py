"""What is mutated, and what has to notice."""

from __future__ import annotations

import re
from pathlib import Path

from tests.mutation.operators import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "services.kernel.streams"
# A module, and the functions of it that decide without a network; None for the whole module.
CORE: dict[str, frozenset[str] | None] = {
    "lease": None,
    "lease_watch": None,
    "shard_graph": None,
    "assignment": None,
    "checkpoint": None,
    "deaths": None,
    "reject_rate": None,
    "byte_budget": None,
    "processor": None,
    "held_lease": None,
    "lease_table": None,
    "rewind": None,
    "aggregation": None,
    "intake": None,
    "lag_probe": None,
    "shard_reader": None,
    "delivery": None,
}
# Schedules of the simulation that the last survivors have to pass.
SEEDS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
# Those that would run this run, or the simulation a second time.
_NOT_A_JUDGE = ("test_simulation.py", "test_core_mutants.py")


def mutants(module: str) -> list[Mutant]:
    """All mutants of one module of the core."""
    path = ROOT / PACKAGE.replace(".", "/") / f"{module}.py"
    return mutants_of(module, path.read_text(), str(path), CORE[module])


def judges(module: str) -> list[str]:
    """Paths of the unit tests that import the module, those named after it first; of any of the core for ""."""
    names = module or f"({'|'.join(CORE)})"
    imports = re.compile(rf"^from {PACKAGE}(\.| import ){names}\b", re.MULTILINE)
    folder = ROOT / "tests/unit/streams"
    found = [path for path in sorted(folder.glob("test_*.py")) if path.name not in _NOT_A_JUDGE]
    found = [path for path in found if imports.search(path.read_text())]
    own = (f"test_core_{module}.py", f"test_{module}.py")
    return [str(path) for path in sorted(found, key=lambda path: path.name not in own)]
