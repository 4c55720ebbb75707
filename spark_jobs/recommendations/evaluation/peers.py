"""The library `implicit` on the same histories: `python -m spark_jobs.recommendations.evaluation.peers FOLDER...`.

Runs in the peers' environment. Of each cut-off's folder it reads what is known, tries its grid on the validation
window, trains anew with what was best there, and writes its rankings. The truth of the test lies in a file that it does
not open. It gets whatever made our own better: weights by recency, the trend of an article, own history first.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spark_jobs.recommendations.evaluation.handover import (
    DEPTH,
    TEST,
    VALIDATION,
    Question,
    Ranked,
    read_truth,
)
from spark_jobs.recommendations.ranking.measures import Truth, measure

Floats = NDArray[np.float32]
SEED = 1
THREADS = {"als": 2, "bpr": 1}
"""Two threads of BPR write over each other's steps, and no run is like another."""
BLOCK = 512
TREND_DAYS = 30
HALF_LIFE_DAYS = 90.0
TRENDS = (0.0, 0.5, 1.0)
"""Exponents of the trend that are tried; 0 leaves it out."""


@dataclass(frozen=True)
class Settings:
    """One way to train.

    Args:
        weights: of a customer's article: `once` 1, `orders` their number, `recent` each halved every 90 days.
        alpha: of ALS.
        learning_rate: of BPR.
    """

    method: Literal["als", "bpr"]
    weights: Literal["once", "orders", "recent"]
    factors: int
    regularization: float
    iterations: int
    alpha: float | None = None
    learning_rate: float | None = None


ALS = [
    Settings("als", "recent", 64, 10.0, 15, alpha=2.0),
    Settings("als", "recent", 64, 20.0, 15, alpha=2.0),
    Settings("als", "recent", 64, 20.0, 15, alpha=4.0),
    Settings("als", "recent", 128, 10.0, 15, alpha=2.0),
    Settings("als", "orders", 64, 10.0, 15, alpha=2.0),
    Settings("als", "once", 64, 0.01, 15, alpha=10.0),
]
BPR = [
    Settings("bpr", "once", 64, 0.01, 100, learning_rate=0.05),
    Settings("bpr", "once", 64, 0.01, 100, learning_rate=0.01),
    Settings("bpr", "once", 128, 0.01, 100, learning_rate=0.015),
]
GRIDS = {"implicit_als": ALS, "implicit_bpr": BPR}
NEW, SCORES, OWN_FIRST = "new", "scores", "own_first"


def matrix(known: Question, weights: str) -> sparse.csr_matrix:
    """Customers by articles, float32."""
    values = np.ones(len(known.article), np.float32)
    if weights == "recent":
        values = np.exp2((known.day - known.at) / HALF_LIFE_DAYS).astype(np.float32)
    shape = (len(known.starts) - 1, known.articles)
    made = sparse.coo_matrix((values, (known.row, known.article)), shape).tocsr()
    if weights == "once":
        made.data[:] = 1.0
    return made


def train(settings: Settings, known: Question) -> Any:
    """A trained model of the library, which only the peers' environment has."""
    import implicit.als  # type: ignore[import-not-found]
    import implicit.bpr  # type: ignore[import-not-found]

    shared = {
        "factors": settings.factors,
        "regularization": settings.regularization,
        "iterations": settings.iterations,
        "random_state": SEED,
        "num_threads": THREADS[settings.method],
    }
    if settings.method == "als":
        model = implicit.als.AlternatingLeastSquares(alpha=settings.alpha, use_gpu=False, **shared)
    else:
        model = implicit.bpr.BayesianPersonalizedRanking(
            learning_rate=settings.learning_rate, use_gpu=False, **shared
        )
    model.fit(matrix(known, settings.weights), show_progress=False)
    return model


class Ranker:
    """Rankings of one model for the customers that are asked for."""

    def __init__(self, model: Any, known: Question) -> None:
        self._users, self._items = model.user_factors, model.item_factors
        self._known = known
        self._orders = matrix(known, "orders")
        self._trend = trend(known)

    def rank(self, way: str, exponent: float) -> NDArray[np.int32]:
        """int32[asked, DEPTH].

        Args:
            way: NEW among what the customer never ordered; SCORES among all; OWN_FIRST among all, with the customer's
                own history on top.
            exponent: of the trend, from 0 on.
        """
        begins = range(0, len(self._known.asked), BLOCK)
        return np.concatenate([self._block(begin, way, exponent) for begin in begins])

    def _block(self, begin: int, way: str, exponent: float) -> NDArray[np.int32]:
        rows, seen = self._known.asked[begin : begin + BLOCK], self._known.seen
        scores = self._users[rows] @ self._items.T
        if exponent:
            scores = np.maximum(scores, 0) * self._trend**exponent
        if way == OWN_FIRST:
            scores = _in_rows(scores) + 2 * _in_rows(np.log1p(self._orders[rows].toarray()))
        elif way == NEW:
            first, last = seen.starts[begin], seen.starts[begin + len(rows)]
            scores[seen.row[first:last] - begin, seen.article[first:last]] = -np.inf
        return best(scores)


def best(scores: Floats) -> NDArray[np.int32]:
    """int32[rows, DEPTH]: the columns with the largest scores, falling; -1 for one that must not be taken."""
    depth = min(DEPTH, scores.shape[1])
    found = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
    found = np.take_along_axis(found, order, 1).astype(np.int32)
    found[np.take_along_axis(scores, found, 1) == -np.inf] = -1
    return np.pad(found, ((0, 0), (0, DEPTH - depth)), constant_values=-1)


def trend(known: Question) -> Floats:
    """(buyers of the last 30 days + 1) / (buyers ever + 1) of each article."""
    late = known.day >= known.at - TREND_DAYS
    pairs = [
        np.unique(known.row[which] * known.articles + known.article[which]) % known.articles
        for which in (late, np.ones_like(late))
    ]
    recent, ever = (np.bincount(found, minlength=known.articles) for found in pairs)
    return ((recent + 1) / (ever + 1)).astype(np.float32)


def _in_rows(scores: Floats) -> Floats:
    """Each row divided by its largest value."""
    return np.asarray(scores / np.maximum(np.abs(scores).max(axis=1, keepdims=True), 1e-9), np.float32)


@dataclass(frozen=True)
class Best:
    """What was best on the validation window for one of the two questions."""

    settings: Settings
    way: str
    exponent: float
    ndcg: float


def choose(grid: Sequence[Settings], known: Question, truth: Truth) -> tuple[Best, Best]:
    """The best for all articles and the best for new ones."""
    new_truth = truth.where(~known.seen.holds(truth.row, truth.article))
    tried: dict[bool, list[Best]] = {False: [], True: []}
    for settings in grid:
        ranker = Ranker(train(settings, known), known)
        for exponent in TRENDS:
            for way in (NEW, SCORES, OWN_FIRST):
                wanted = new_truth if way == NEW else truth
                found = measure(ranker.rank(way, exponent), wanted, DEPTH).mean()["ndcg"]
                tried[way == NEW].append(Best(settings, way, exponent, found))
    best = {new: max(found, key=lambda one: one.ndcg) for new, found in tried.items()}
    return best[False], best[True]


def evaluate(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rank for one cut-off; yields what was chosen and how long it took, by method."""
    known, validation = Question.read(folder, TEST), Question.read(folder, VALIDATION)
    truth = read_truth(folder, VALIDATION)
    for method, grid in GRIDS.items():
        begun = time.monotonic()
        for_all, for_new = choose(grid, validation, truth)
        chosen_s, begun = time.monotonic() - begun, time.monotonic()
        rankers = {
            settings: Ranker(train(settings, known), known)
            for settings in {for_all.settings, for_new.settings}
        }
        trained_s = time.monotonic() - begun
        Ranked(
            rankers[for_all.settings].rank(for_all.way, for_all.exponent),
            rankers[for_new.settings].rank(for_new.way, for_new.exponent),
        ).write(folder, method)
        say(f"{folder.name}: {method}: grid {chosen_s:.1f} s, trained {trained_s:.1f} s")
        yield (
            method,
            {
                "all": asdict(for_all),
                "new": asdict(for_new),
                "grid": len(grid) * len(TRENDS),
                "grid_s": round(chosen_s, 1),
                "trained_s": round(trained_s, 1),
            },
        )


def fit(folder: Path, method: str) -> dict[str, float]:
    """Train once with the first of the grid: wall and CPU seconds."""
    known = Question.read(folder, TEST)
    begun, used = time.monotonic(), time.process_time()
    train(GRIDS[method][0], known)
    return {"fit_s": time.monotonic() - begun, "fit_cpu_s": time.process_time() - used}


def main() -> int:
    """Print what was chosen as JSON by cut-off, or with --fit what one training takes."""
    parser = argparse.ArgumentParser(
        prog="python -m spark_jobs.recommendations.evaluation.peers", description=__doc__
    )
    parser.add_argument(
        "folder", type=Path, nargs="+", help="a cut-off's folder, as the Spark part has written it"
    )
    parser.add_argument("--fit", choices=sorted(GRIDS), help="train once and say what it took")
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(fit(options.folder[0], options.fit)))
        return 0
    found = {folder.name: dict(evaluate(folder, _say)) for folder in options.folder}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cuts": found, "peak_bytes": peak}))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
