"""The mutator itself, and a few mutants of one module with each run; `make mutants` tries all of every module."""

from __future__ import annotations

import subprocess
import sys

from tests.mutation import justified, targets
from tests.mutation.justified import Justification
from tests.mutation.operators import Mutant, mutants_of
from tests.mutation.report import Report
from tests.mutation.trial import SURVIVED, Verdict

# Fixed, so that a run judges the tests and not the draw.
FEW = ("--module", "lease_watch", "--sample", "3", "--seed", "1")
SOURCE = '''
"""Words for people."""

LIMIT: int = 3


def bounded(values: list[int], other: bool = False) -> int:
    """More words."""
    if values and not other:
        raise ValueError("words")
    total = 0
    total += min(values)
    return total if total < LIMIT else LIMIT
'''


def made(source: str = SOURCE) -> list[Mutant]:
    return mutants_of("module", source, "module.py")


def test_every_slip_of_the_hand_is_made_once() -> None:
    assert [(mutant.operator, mutant.change) for mutant in made()] == [
        ("constant", "3 -> 4"),
        ("constant", "3 -> 2"),
        ("constant", "False -> True"),
        ("and/or", "values and (not other) -> values or not other"),
        ("negate", "values -> not values"),
        ("not", "not other -> other"),
        ("remove", "raise ValueError('words') -> pass"),
        ("constant", "0 -> 1"),
        ("constant", "0 -> -1"),
        ("arithmetic", "total += min(values) -> total -= min(values)"),
        ("remove", "total += min(values) -> pass"),
        ("call", "min(values) -> max(values)"),
        ("return", "return total if total < LIMIT else LIMIT -> return None"),
        ("compare", "total < LIMIT -> total <= LIMIT"),
        ("compare", "total < LIMIT -> total >= LIMIT"),
    ]


def test_a_mutant_is_the_module_with_one_change() -> None:
    results = []
    for mutant in made():
        module: dict[str, object] = {}
        exec(mutant.code, module)  # noqa: S102 - our own text
        bounded = module["bounded"]
        assert callable(bounded)
        results.append(bounded([2, 1], True) if mutant.operator == "call" else None)
    assert [result for result in results if result is not None] == [2]


def test_an_id_survives_what_happens_elsewhere_in_the_module() -> None:
    before = [mutant.mutant_id for mutant in made()]
    after = [
        mutant.mutant_id for mutant in made(SOURCE.replace("LIMIT: int = 3", "OTHER = 1\n\nLIMIT: int = 3"))
    ]
    assert len(set(before)) == len(before)
    assert set(before) < set(after)


def test_a_survivor_without_a_reason_and_a_reason_without_a_mutant_both_fail() -> None:
    [first, *_] = mutants = made()
    reason = Justification("module", first.function, first.text, first.operator, "why", first.change)
    gone = Justification("module", first.function, "LIMIT: int = 5", first.operator, "why")
    survived = [Verdict(first, SURVIVED)]
    assert not Report(mutants, [], survived).good
    assert Report(mutants, [reason], survived).good
    assert not Report(mutants, [reason, gone], survived).good
    assert Report(mutants, [], [Verdict(first, "a test")]).good


def test_every_reason_still_speaks_of_a_mutant() -> None:
    entries = justified.load()
    functions: dict[str, set[str]] = {}
    for entry in entries:
        functions.setdefault(entry.module, set()).add(entry.function)
    mutants = [
        mutant for module, some in functions.items() for mutant in targets.mutants(module, frozenset(some))
    ]
    assert justified.stale(entries, mutants) == []


def test_a_few_mutants_are_noticed() -> None:
    command = [sys.executable, "-m", "tests.mutation", *FEW]
    done = subprocess.run(command, cwd=targets.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])}\n{done.stdout}{done.stderr}"
