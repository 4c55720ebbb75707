"""Recommendations: what choosing, fitting, listing and publishing take, beside `implicit`, and how they grow.

`python -m bench.recommendations` prints the table and whether each goal is met. Exit 1 where one is missed.
bench/recommendations/README.md says what each column means.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.consumer.participants import ROOT
from bench.recommendations import publishing, shop, table
from bench.recommendations.publishing import Published
from bench.recommendations.table import CHOOSE, FIT, LISTS, OURS, Took
from deploy.local import bench_peers, environment, job
from deploy.local.job import Ran
from spark_jobs.recommendations.evaluation.handover import TEST, Question
from spark_jobs.recommendations.ranking.measures import Truth
from spark_jobs.recommendations.ranking.netting import purchases
from tests.retail_histories import Retail, retail

WHOLE, QUICK = (1, 4, 16), (1,)
IMPLICIT = {"implicit_als": "implicit 0.7.2, ALS", "implicit_bpr": "implicit 0.7.2, BPR"}


async def measure(sizes: Sequence[int], folder: Path) -> tuple[list[Took], dict[str, str]]:
    """Everything but publication; the records of the real data are left in `records.jsonl`.

    Returns:
        what each part took, and the recipe that was chosen on the real data.
    """
    real = retail()
    found, recipe = [], dict[str, str]()
    for copies in sizes:
        place = folder / f"{copies}x"
        _say(f"{copies}x: writing customers and orders")
        customers = shop.write(place, real.histories, real.baskets, real.articles, copies)
        options = ["--records", str(folder / "records.jsonl")] if copies == 1 else []
        ran = await _ours(place, options, f"{copies}x: ours")
        found += [_part(ran, copies, customers, name) for name in (CHOOSE, FIT, LISTS)]
        if copies == 1:
            recipe = ran.result["recipe"]
            told = ["--recipe", json.dumps(recipe)]
            alone = await _ours(place, told, "1x: ours, told what to fit")
            found += [_part(alone, 1, customers, name, "ours, recipe given") for name in (FIT, LISTS)]
            found += await implicit(real, folder / "implicit")
    return found, recipe


async def implicit(real: Retail, folder: Path) -> list[Took]:
    """One fit of each of the library's methods on the same purchases."""
    at = int(real.histories.day.max()) + 1
    bought, none = purchases(real.histories, at), np.zeros(0, np.int64)
    nobody = Truth(np.zeros(1, np.int64), none)
    Question(at, len(real.articles), bought.starts, bought.article, bought.day, none, nobody).write(
        folder, TEST
    )
    found = []
    for method, name in IMPLICIT.items():
        _say(f"1x: {name}")
        command = [str(bench_peers.PYTHON), "-m", "spark_jobs.recommendations.evaluation.peers"]
        # As the library asks for: threads of its own, none of the linear algebra.
        settings = {**_environment(), "OPENBLAS_NUM_THREADS": "1"}
        ran = _well(await job.run(name, [*command, str(folder), "--fit", method], settings, _say))
        took = ran.result
        found.append(Took(name, 1, len(bought), FIT, took["fit_s"], took["fit_cpu_s"], ran.peak_bytes))
    return found


async def _ours(place: Path, options: Sequence[str], name: str) -> Ran:
    _say(name)
    command = [sys.executable, "-m", "bench.recommendations.ours", str(place), *options]
    return _well(await job.run(name, command, _environment(), _say))


def _part(ran: Ran, copies: int, customers: int, part: str, who: str = OURS) -> Took:
    took: Mapping[str, Any] = ran.result["took"][part]
    found = Took(who, copies, customers, part, took["elapsed_s"], took["cpu_s"], ran.peak_bytes)
    _say(f"{copies}x: {who}, {part}: {found.elapsed_s:.1f} s, {found.cpu_s:.1f} s of CPU")
    return found


def _well(ran: Ran) -> Ran:
    if ran.code:
        raise RuntimeError(f"{ran.name} ended with {ran.code}:\n" + "\n".join(ran.told))
    return ran


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }


def run(sizes: Sequence[int]) -> tuple[list[Took], Published]:
    """Measure everything."""
    os.environ.update(environment.cloud())
    with contextlib.redirect_stdout(sys.stderr):
        bench_peers.put_in_place()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found, recipe = asyncio.run(measure(sizes, folder))
        _say("publication")
        return found, publishing.measure(folder / "records.jsonl", recipe)


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.recommendations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the real data alone, no growth")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found, published = run(QUICK if options.quick else WHOLE)
    judged = table.goals(found)
    if options.json:
        measured = [asdict(one) for one in found]
        print(json.dumps({"measured": measured, "published": asdict(published), "goals": dict(judged)}))
    else:
        print("\n".join([*table.rows(found), "", *table.published_rows(published), ""]))
        for sentence, met in judged:
            print(f"{'met   ' if met else 'MISSED'} {sentence}")
    return 0 if all(met for _, met in judged) else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
