"""What a run of mutants showed, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.mutation.justified import Justification, stale
from tests.mutation.operators import Mutant
from tests.mutation.trial import Verdict


@dataclass
class Report:
    """The verdicts, beside what was justified.

    Args:
        mutants: all that were made, tried or not.
        entries: the justifications of the modules that were mutated.
    """

    mutants: Sequence[Mutant]
    entries: Sequence[Justification]
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0

    def reason(self, mutant: Mutant) -> str | None:
        """Why this one may survive."""
        return next((entry.reason for entry in self.entries if entry.covers(mutant)), None)

    @property
    def survivors(self) -> list[Mutant]:
        """Those that nothing noticed, in the order of the source."""
        found = [v.mutant for v in self.verdicts if v.survived and v.mutant is not None]
        return sorted(found, key=lambda mutant: (mutant.module, mutant.line, mutant.operator))

    @property
    def unjustified(self) -> list[Mutant]:
        """Survivors without a reason."""
        return [mutant for mutant in self.survivors if self.reason(mutant) is None]

    @property
    def stale(self) -> list[Justification]:
        """Reasons without a mutant."""
        return stale(self.entries, self.mutants)

    @property
    def good(self) -> bool:
        """Whether the checks can fail wherever they should."""
        return not self.unjustified and not self.stale

    def text(self, killers: bool = False) -> str:
        """A table by module, then every survivor."""
        lines = [f"{'module':<16}{'mutants':>9}{'killed':>8}{'survived':>10}{'justified':>11}"]
        lines += [self._line(name) for name in dict.fromkeys(m.module for m in self.mutants)]
        lines.append(self._line(None) + f"   {self.seconds:.0f} s")
        if killers:
            lines += [f"{_place(v.mutant)}  by {v.by}" for v in self.verdicts if v.mutant and not v.survived]
        for mutant in self.survivors:
            reason = self.reason(mutant)
            lines.append(
                f"{'justified' if reason else 'SURVIVED '} {_place(mutant)}  {reason or ''}".rstrip()
            )
        lines += [
            f"STALE     {e.module}.{e.function}  `{e.line}`  {e.operator}  {e.change}" for e in self.stale
        ]
        return "\n".join(lines)

    def _line(self, module: str | None) -> str:
        tried = [v for v in self.verdicts if v.mutant and module in (None, v.mutant.module)]
        survivors = [m for m in self.survivors if module in (None, m.module)]
        justified = sum(self.reason(m) is not None for m in survivors)
        killed = len(tried) - len(survivors)
        return f"{module or 'all':<16}{len(tried):>9}{killed:>8}{len(survivors):>10}{justified:>11}"

    def json(self) -> str:
        """The same as one object."""
        return json.dumps(
            {
                "mutants": len(self.verdicts),
                "killed": len(self.verdicts) - len(self.survivors),
                "seconds": self.seconds,
                "survivors": [{**_as_dict(m), "reason": self.reason(m)} for m in self.survivors],
                "stale": [f"{e.module}.{e.function}: {e.line}" for e in self.stale],
                "good": self.good,
            },
            indent=1,
        )


def _place(mutant: Mutant) -> str:
    where = f"{mutant.mutant_id}  {mutant.module}.py:{mutant.line} {mutant.function}"
    return f"{where}  [{mutant.operator}] {mutant.change}"


def _as_dict(mutant: Mutant) -> dict[str, object]:
    names = ("module", "function", "line", "text", "operator", "change")
    return {"id": mutant.mutant_id, **{name: getattr(mutant, name) for name in names}}
