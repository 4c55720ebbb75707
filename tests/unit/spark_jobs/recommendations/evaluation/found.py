"""Findings by hand."""

from __future__ import annotations

from spark_jobs.recommendations.evaluation.findings import (
    ALL,
    LABELS,
    NEW,
    OURS,
    Against,
    Cut,
    Estimate,
    ListMeasured,
    Measured,
)


def estimate(value: float) -> Estimate:
    """With an interval of .01 to both sides."""
    return Estimate(value, value - 0.01, value + 0.01)


def measured(recall: float, ndcg: float) -> Measured:
    """Of a method."""
    return Measured(estimate(recall), estimate(ndcg), estimate(ndcg / 2), coverage=0.25, novelty=4.5)


def cut(
    day: str = "2011-10-10",
    new: tuple[float, float] = (0.07, 0.13),
    every: tuple[float, float] = (0.16, 0.38),
) -> Cut:
    """A cut-off with all methods, ours as said (recall, NDCG), the others all alike."""
    others = {method: measured(0.05, 0.1) for method in LABELS if method != OURS}
    listed = ListMeasured(estimate(0.1), estimate(0.2), estimate(0.15))
    return Cut(
        day=day,
        users={ALL: 1790, NEW: 1701},
        articles=3541,
        recipe={"you_may_like": "ease", "buy_again": "next_purchase"},
        methods={ALL: {OURS: measured(*every), **others}, NEW: {OURS: measured(*new), **others}},
        against={NEW: Against("implicit_als", estimate(0.002), estimate(-0.003))},
        lists={"also_bought": {"cosine": listed, "co_occurrence": listed}},
        cases={"also_bought": 4640},
        chosen={"implicit_als": "best of <18> & more"},
        phases_s={"fit": 12.0},
    )
