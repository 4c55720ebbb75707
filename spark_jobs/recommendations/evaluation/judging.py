"""Measures of what was handed over: every method's rankings against the truth, with bootstrap intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.evaluation.findings import (
    ALL,
    LABELS,
    MEASURES,
    NEW,
    OURS,
    Against,
    Cut,
    Estimate,
    ListMeasured,
    Measured,
)
from spark_jobs.recommendations.evaluation.guests import ALSO_BOUGHT, POPULAR
from spark_jobs.recommendations.evaluation.handover import (
    DEPTH,
    TEST,
    Question,
    Ranked,
    read_lists,
    read_truth,
)
from spark_jobs.recommendations.ranking.measures import Measures, Reach, interval, measure

SEED, DRAWS = 1, 1000
Floats = NDArray[np.float64]


def judge(folder: Path, chosen: Mapping[str, str]) -> Cut:
    """Measure everything about one cut-off.

    Args:
        folder: of the cut-off, as `run` has written it; peers' rankings lie beside the others.
        chosen: what the peers' grids picked, for people.
    """
    question, truth = Question.read(folder, TEST), read_truth(folder, TEST)
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    with np.load(folder / "buyers.npz", allow_pickle=False) as found:
        buyers, customers = found["buyers"], int(found["customers"])
    new = truth.where(~question.seen.holds(truth.row, truth.article))
    ranked = {method: Ranked.read(folder, method) for method in LABELS}
    answered = {method: found for method, found in ranked.items() if found is not None}
    novelty = _novelty(buyers, customers, facts["articles"])
    methods, against = {}, {}
    for split, wanted in ((ALL, truth), (NEW, new)):
        shown = {method: found.all if split == ALL else found.new for method, found in answered.items()}
        measures = {method: measure(found, wanted, DEPTH) for method, found in shown.items()}
        asked = wanted.sizes > 0
        methods[split] = {
            method: Measured(**estimates(found), **novelty(shown[method][asked]))  # type: ignore[arg-type]
            for method, found in measures.items()
        }
        against[split] = beside_best(measures)
    return Cut(
        day=folder.name,
        users={ALL: int((truth.sizes > 0).sum()), NEW: int((new.sizes > 0).sum())},
        articles=facts["articles"],
        recipe=facts["recipe"],
        methods=methods,
        against={split: found for split, found in against.items() if found is not None},
        **_guests(folder),
        chosen=dict(chosen),
        phases_s=facts["phases_s"],
    )


def estimates(found: Measures) -> dict[str, Estimate]:
    """Mean and interval of each measure."""
    means = found.mean()
    return {name: Estimate(means[name], *interval(getattr(found, name), SEED, DRAWS)) for name in MEASURES}


def beside_best(measures: Mapping[str, Measures]) -> Against | None:
    """Ours minus the other method with the highest NDCG, customer by customer; None where there is no other."""
    others = {method: found.mean()["ndcg"] for method, found in measures.items() if method != OURS}
    if not others or OURS not in measures:
        return None
    peer = max(others, key=lambda method: others[method])

    def difference(name: str) -> Estimate:
        each: Floats = getattr(measures[OURS], name) - getattr(measures[peer], name)
        return Estimate(float(each.mean()) if len(each) else 0.0, *interval(each, SEED, DRAWS))

    return Against(peer, difference("recall"), difference("ndcg"))


def _guests(folder: Path) -> dict[str, Any]:
    found = {name: read_lists(folder, name) for name in (ALSO_BOUGHT, POPULAR)}
    lists = {
        name: {method: ListMeasured(**estimates(measures)) for method, measures in methods.items()}
        for name, methods in found.items()
    }
    return {
        "lists": lists,
        "cases": {name: len(next(iter(methods.values()))) for name, methods in found.items()},
    }


def _novelty(buyers: NDArray[Any], customers: int, known: int) -> Callable[[NDArray[Any]], dict[str, float]]:
    """Coverage of the articles known by the cut-off, and novelty."""

    def of(shown: NDArray[Any]) -> dict[str, float]:
        reach = Reach.of(shown, len(buyers), DEPTH)
        coverage = float((reach.shown > 0).sum()) / max(known, 1)
        return {"coverage": coverage, "novelty": reach.novelty(buyers, customers)}

    return of
