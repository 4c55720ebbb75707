"""Our log parser beside its peers: the same lines, one run.

`python -m bench.logs` prints the table, the ratios and whether each goal is met, and writes them to
`.local/bench/logs.{json,md}`. Exit 1 where a goal is missed. bench/README.md says what each column means.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.logs import lines, participants, process, table
from bench.logs.participants import Participant
from bench.logs.reference import expected
from bench.logs.rounds import fresh
from bench.logs.table import Round

FIGURES = lines.ROOT / ".local" / "bench"


@dataclass(frozen=True, slots=True)
class Size:
    """How many lines are read in one round, and how many rounds."""

    lines: int
    rounds: int


QUICK = Size(lines=200_000, rounds=1)
WHOLE = Size(lines=500_000, rounds=3)


def measure(
    who: Sequence[Participant], real: lines.Sample, size: Size, folder: Path
) -> dict[str, list[Round]]:
    """Every round of everybody; by turns, every second round from the last to the first."""
    counts = {one.name: round(size.lines * one.share) for one in who}
    inputs = {one.name: one.source(folder, real, counts[one.name]) for one in who}
    found: dict[str, list[Round]] = {one.name: [] for one in who}
    for number in range(size.rounds):
        _say(f"round {number + 1} of {size.rounds}")
        for one in list(who) if number % 2 == 0 else reversed(who):
            found[one.name].append(one.timed(inputs[one.name], counts[one.name], folder))
    return found


def judge(who: Participant, real: lines.Sample, hard: lines.Sample, folder: Path) -> table.Right | None:
    """How many lines of each sample are right."""
    if who.judge is None or who.write is None:
        return None
    found = []
    for sample in (real, hard):
        output = fresh(folder)
        process.run(who.write(sample.path, output), folder)
        found.append(who.judge(output, [expected(line) for line in sample.lines]))
    return table.Right(found[0], found[1], who.counted)


def run(size: Size) -> dict[str, Any]:
    """Set up, measure, judge."""
    began_s = time.monotonic()
    others, absent = participants.others()
    who = [*participants.ours(), *others]
    FIGURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logs-", dir=FIGURES) as name:
        folder = Path(name)
        real, hard = lines.real(folder), lines.hard(folder)
        _say("judging what each makes of the lines")
        rights = {one.name: judge(one, real, hard, folder) for one in who}
        rounds = measure(who, real, size, folder)
    results = [table.Result(one.name, one.scope, rounds[one.name], rights[one.name], one.peer) for one in who]
    samples = table.Samples(len(real.lines), len(hard.lines))
    ours = table.compared(results)
    judged = table.goals(ours, [one for one in results if one.peer], samples)
    return {
        "lines": size.lines,
        "rows": {one.name: table.row(one, ours, samples) for one in results},
        "absent": absent,
        "goals": [asdict(goal) for goal in judged],
        "measured": {name: [asdict(one) for one in found] for name, found in rounds.items()},
        "took_s": round(time.monotonic() - began_s, 1),
        "markdown": table.markdown(results, ours, judged, absent, samples),
    }


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.logs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round over 200,000 lines, a minute")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(QUICK if options.quick else WHOLE)
    text = found.pop("markdown")
    (FIGURES / "logs.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (FIGURES / "logs.md").write_text(text, encoding="utf-8")
    print(json.dumps(found) if options.json else text)
    return 0 if all(goal["met"] for goal in found["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
