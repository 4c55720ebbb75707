"""What is mutated, and what has to notice."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.mutation.operators import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "services.kernel.streams"
CORE = (
    "lease",
    "lease_watch",
    "shard_graph",
    "assignment",
    "checkpoint",
    "deaths",
    "reject_rate",
    "byte_budget",
    "processor",
    "batch_processor",
    "held_lease",
    "lease_table",
    "rewind",
    "aggregation",
    "intake",
    "lag_probe",
    "shard_reader",
    "delivery",
    "rejected_replay",
)
# Schedules of the simulation that the last survivors have to pass.
SEEDS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
# Those that would run this run, or the simulation a second time.
_NOT_A_JUDGE = ("test_simulation.py", "test_core_mutants.py")


def mutants(module: str, functions: frozenset[str] | None = None) -> list[Mutant]:
    """All mutants of one module of the core, or of some functions of it."""
    path = ROOT / PACKAGE.replace(".", "/") / f"{module}.py"
    return mutants_of(module, path.read_text(), str(path), functions)


def judges(modules: Collection[str]) -> list[str]:
    """Paths of the unit tests that import any of these modules, those named after one first."""
    imports = re.compile(rf"^from {PACKAGE}(\.| import ).*\b({'|'.join(modules)})\b", re.MULTILINE)
    folder = ROOT / "tests/unit/streams"
    found = [path for path in sorted(folder.glob("test_*.py")) if path.name not in _NOT_A_JUDGE]
    found = [path for path in found if imports.search(path.read_text())]
    own = [f"test_{kind}{module}.py" for kind in ("core_", "") for module in modules]
    return [str(path) for path in sorted(found, key=lambda path: _place(path.name, own))]


def _place(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)
