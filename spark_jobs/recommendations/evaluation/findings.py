"""What an evaluation found: the measures of each method at each cut-off, and whether each goal is met. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ALL, NEW = "ALL", "NEW"
SPLITS = (ALL, NEW)
OURS = "ours"
LABELS = {
    OURS: "ours",
    "popularity_all": "popularity, all time",
    "popularity_30d": "popularity, 30 days",
    "own_history": "own history, then popularity",
    "item_knn": "item-kNN, cosine",
    "course_als": "course: explicit ALS on 1.0",
    "spark_als": "Spark ALS, implicit, plain",
    "implicit_als": "implicit ALS",
    "implicit_bpr": "implicit BPR",
}
"""Every method by the name of its file, in the order of the table."""
MEASURES = ("recall", "ndcg", "map")
GOAL_CUT = "2011-10-10"
GOALS = ((NEW, "ndcg", 0.123), (NEW, "recall", 0.067), (ALL, "ndcg", 0.373))
"""Of which customers' articles, which measure, and what has to be exceeded."""
WORDS = {"recall": "recall@10", "ndcg": "NDCG@10", "map": "MAP@10"}


@dataclass(frozen=True)
class Estimate:
    """A mean over customers and the 95 % bootstrap interval of it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """One method's lists for one of the splits.

    Args:
        coverage: share of the known articles that stand in any list.
        novelty: bits, the mean of -log2(share of customers who have the article) over all places.
    """

    recall: Estimate
    ndcg: Estimate
    map: Estimate
    coverage: float
    novelty: float


@dataclass(frozen=True)
class Against:
    """Ours beside the best other method, customer by customer.

    Args:
        peer: its name: the one with the highest NDCG of the test, known only afterwards.
        recall: how much more ours has, with the paired bootstrap's interval.
        ndcg: the same.
    """

    peer: str
    recall: Estimate
    ndcg: Estimate


@dataclass(frozen=True)
class ListMeasured:
    """One method's lists for guests: also-bought by order, popular by newcomer."""

    recall: Estimate
    ndcg: Estimate
    map: Estimate


@dataclass(frozen=True)
class Cut:
    """Everything about one cut-off.

    Args:
        users: customers that are asked for, by split.
        articles: known before the cut-off.
        recipe: the method that the choice picked, by list.
        methods: by split, then by method.
        against: by split.
        lists: by list (`also_bought`, `popular`), then by method; `cases` of each list is how many were measured.
        chosen: what the peers' grids picked, for people.
        phases_s: seconds.
    """

    day: str
    users: dict[str, int]
    articles: int
    recipe: dict[str, str]
    methods: dict[str, dict[str, Measured]]
    against: dict[str, Against]
    lists: dict[str, dict[str, ListMeasured]] = field(default_factory=dict)
    cases: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    phases_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """A goal as a sentence, and whether it is met."""

    sentence: str
    met: bool


def verdicts(cuts: Sequence[Cut]) -> list[Verdict]:
    """Each goal at the cut-off that goals are set for; nothing where that one was not evaluated."""
    return [verdict for cut in cuts if cut.day == GOAL_CUT for verdict in _verdicts(cut)]


def _verdicts(cut: Cut) -> Iterator[Verdict]:
    for split, name, goal in GOALS:
        found = cut.methods[split][OURS]
        value: float = getattr(found, name).value
        sentence = f"{split} {WORDS[name]} at {cut.day}: {decimals(value, 4)}, goal above {three(goal)}"
        missed = "" if value > goal else f", {goal - value:.4f} short"
        yield Verdict(sentence + missed, value > goal)


def three(value: float) -> str:
    """A measure as tables have it: .373."""
    return decimals(value, 3)


def decimals(value: float, places: int) -> str:
    """A measure without the zero before its point."""
    text = f"{value:.{places}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def as_json(cuts: Sequence[Cut], verdicts: Sequence[Verdict], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for machines."""
    return {**facts, "cuts": [asdict(cut) for cut in cuts], "goals": [asdict(one) for one in verdicts]}
