"""Mutate the core of the consumer group and see whether a test notices: `python -m tests.mutation`."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence

from tests.mutation import justified, targets
from tests.mutation.operators import Mutant
from tests.mutation.report import Report
from tests.mutation.trial import preload, try_all, try_as_it_is

PROCESSES = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants; 1 for a survivor or a justification without its mutant, 2 if the tests fail without one."""
    options, started = _options(arguments), time.monotonic()
    modules = options.module or list(targets.CORE)
    mutants = [mutant for module in modules for mutant in targets.mutants(module)]
    report = Report(mutants, [entry for entry in justified.load() if entry.module in modules])
    chosen = _chosen(report, options)
    preload()
    asis = try_as_it_is(modules)
    if not asis.survived:
        sys.stderr.write(f"the tests fail on the code as it is: {asis.by}\n")
        return 2
    for verdict in try_all(chosen, PROCESSES):
        report.verdicts.append(verdict)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{len(report.verdicts)} of {len(chosen)} ")
    report.seconds = round(time.monotonic() - started, 1)
    sys.stdout.write((report.json() if options.json else report.text(options.killers)) + "\n")
    return 0 if report.good else 1


def _chosen(report: Report, options: argparse.Namespace) -> list[Mutant]:
    """What to try: all, the named ones, or a sample of those that have to be noticed."""
    if options.id:
        return [mutant for mutant in report.mutants if mutant.mutant_id in options.id]
    if options.sample:
        owed = [mutant for mutant in report.mutants if report.reason(mutant) is None]
        return random.Random(options.seed).sample(owed, min(options.sample, len(owed)))
    return list(report.mutants)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--module", action="append", choices=list(targets.CORE), help="may be repeated")
    parser.add_argument("--id", action="append", help="try these alone; may be repeated")
    parser.add_argument("--sample", type=int, default=0, help="try so many, the justified ones left out")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--killers", action="store_true", help="say what noticed each mutant")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
