"""The survivors that nobody has to kill, each with its reason: `justified.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant

FILE = Path(__file__).with_name("justified.toml")


@dataclass(frozen=True, slots=True)
class Justification:
    """Why a change of a line changes nothing that anybody could see.

    Args:
        function, line, operator: as the mutant has them; the line is its text, not its number.
        change: before and after; empty for all changes of this operator on this line.
    """

    module: str
    function: str
    line: str
    operator: str
    reason: str
    change: str = ""

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of this mutant."""
        own = (self.module, self.function, self.line, self.operator)
        its = (mutant.module, mutant.function, mutant.text, mutant.operator)
        return own == its and self.change in ("", mutant.change)


def load(path: Path = FILE) -> list[Justification]:
    """Read the file; a reason is never empty."""
    entries = [Justification(**entry) for entry in tomllib.loads(path.read_text()).get("survivor", [])]
    without = [entry.line for entry in entries if not entry.reason.strip()]
    if without:
        raise ValueError(f"no reason given for {without}")
    return entries


def stale(entries: Sequence[Justification], mutants: Sequence[Mutant]) -> list[Justification]:
    """Those that speak of no mutant any more: the line has changed, so the reason may no longer hold."""
    return [entry for entry in entries if not any(entry.covers(mutant) for mutant in mutants)]
