"""The library `implicit` on the same histories: `python -m spark_jobs.recommendations.evaluation.peers FOLDER...`.

Runs in the peers' environment. Of each cut-off's folder it reads what is known, tries its grid on the validation window,
trains anew with what was best there, and writes its rankings. The truth of the test lies in a file that it does not open.
It gets whatever made our own better by hand: weights by recency, the trend of an article, own history first.
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

import implicit.als  # type: ignore[import-not-found]
import implicit.bpr  # type: ignore[import-not-found]
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spark_jobs.recommendations.evaluation.handover import (
    DEPTH,
    HISTORIES,
    VALIDATION,
    Known,
    Lists,
    Ranked,
    lists,
    ranked,
)

Floats = NDArray[np.float32]
SEED, THREADS = 1, 2
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
    alpha: float = 1.0
    learning_rate: float = 0.0


ALS = [
    Settings("als", "recent", 64, 10.0, 15, alpha=2.0),
    Settings("als", "recent", 64, 1.0, 15, alpha=2.0),
    Settings("als", "recent", 128, 10.0, 15, alpha=2.0),
    Settings("als", "recent", 64, 10.0, 15, alpha=8.0),
    Settings("als", "once", 64, 0.01, 15, alpha=10.0),
    Settings("als", "orders", 64, 10.0, 15, alpha=2.0),
]
BPR = [
    Settings("bpr", "once", 64, 0.01, 100, learning_rate=0.05),
    Settings("bpr", "once", 64, 0.05, 100, learning_rate=0.05),
    Settings("bpr", "once", 128, 0.01, 100, learning_rate=0.02),
]
GRIDS = {"implicit_als": ALS, "implicit_bpr": BPR}
NEW, SCORES, OWN_FIRST = "new", "scores", "own_first"


def matrix(known: Known, weights: str) -> sparse.csr_matrix:
    """Customers by articles, float32."""
    entries, orders = known.row, len(known.article)
    values = np.ones(orders, np.float32)
    if weights == "recent":
        values = np.exp2((known.day - known.at) / HALF_LIFE_DAYS).astype(np.float32)
    shape = (len(known.starts) - 1, known.articles)
    made = sparse.coo_matrix((values, (entries, known.article)), shape).tocsr()
    if weights == "once":
        made.data[:] = 1.0
    return made


def train(settings: Settings, known: Known) -> Any:
    """A trained model of the library."""
    shared = {
        "factors": settings.factors,
        "regularization": settings.regularization,
        "iterations": settings.iterations,
        "random_state": SEED,
        "num_threads": THREADS,
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

    def __init__(self, model: Any, known: Known) -> None:
        self._users, self._items = model.user_factors, model.item_factors
        self._known = known
        self._seen = known.seen
        self._orders = matrix(known, "orders")
        buyers = matrix(known, "once")
        late = (
            known.row[known.day >= known.at - TREND_DAYS],
            known.article[known.day >= known.at - TREND_DAYS],
        )
        recent = lists(late[0], late[1], len(self._seen))
        ever = np.asarray(buyers.sum(axis=0)).ravel()
        self._trend = ((np.bincount(recent.article, minlength=known.articles) + 1) / (ever + 1)).astype(
            np.float32
        )

    def rank(self, way: str, exponent: float) -> NDArray[np.int32]:
        """int32[asked, DEPTH].

        Args:
            way: NEW among what the customer never ordered; SCORES among all; OWN_FIRST among all, with the customer's
                own history on top.
            exponent: of the trend, from 0 on.
        """
        asked = self._known.asked
        blocks = [asked[begin : begin + BLOCK] for begin in range(0, len(asked), BLOCK)]
        return np.concatenate([self._block(rows, way, exponent) for rows in blocks])

    def _block(self, rows: NDArray[np.int64], way: str, exponent: float) -> NDArray[np.int32]:
        scores = self._users[rows] @ self._items.T
        if exponent:
            scores = np.maximum(scores, 0) * self._trend**exponent
        if way == OWN_FIRST:
            scores = _in_rows(scores) + 2 * _in_rows(np.log1p(self._orders[rows].toarray()))
        elif way == NEW:
            seen = self._seen.of(rows)
            scores[seen.row, seen.article] = -np.inf
        return top(scores)


def top(scores: Floats) -> NDArray[np.int32]:
    """The best of each row, ties by article number, -1 for what must not be there."""
    depth = min(DEPTH, scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth].astype(np.int32)
    order[np.take_along_axis(scores, order, 1) == -np.inf] = -1
    return np.pad(order, ((0, 0), (0, DEPTH - depth)), constant_values=-1)


def _in_rows(scores: Floats) -> Floats:
    """Each row divided by its largest value."""
    return np.asarray(scores / np.maximum(np.abs(scores).max(axis=1, keepdims=True), 1e-9), np.float32)


def ndcg(ranking: NDArray[np.int32], truth: Lists) -> float:
    """NDCG at DEPTH, the mean over rows that have something true: what the grid is judged by."""
    width = 1 + max(int(ranking.max()), int(truth.article.max()))
    places = np.arange(len(ranking))[:, None] * width + ranking
    hits = np.isin(places, truth.row * width + truth.article) & (ranking >= 0)
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    sizes = np.minimum(np.diff(truth.starts), DEPTH)
    rows = sizes > 0
    return float(((hits * discounts).sum(1)[rows] / np.cumsum(discounts)[sizes[rows] - 1]).mean())


@dataclass(frozen=True)
class Best:
    """What was best on the validation window for one of the two questions."""

    settings: Settings
    way: str
    exponent: float
    ndcg: float


def choose(grid: Sequence[Settings], known: Known, truth: Lists) -> tuple[Best, Best]:
    """The best for all articles and the best for new ones."""
    new_truth = truth.without(known.seen.of(known.asked))
    tried: dict[bool, list[Best]] = {False: [], True: []}
    for settings in grid:
        ranker = Ranker(train(settings, known), known)
        for exponent in TRENDS:
            for way in (NEW, SCORES, OWN_FIRST):
                wanted = new_truth if way == NEW else truth
                found = ndcg(ranker.rank(way, exponent), wanted)
                tried[way == NEW].append(Best(settings, way, exponent, found))
    best = {new: max(found, key=lambda one: one.ndcg) for new, found in tried.items()}
    return best[False], best[True]


def evaluate(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rank for one cut-off; yields what was chosen and how long it took, by method."""
    known, validation = Known.read(folder / HISTORIES), Known.read(folder / VALIDATION)
    truth = Lists.read(folder / f"truth_of_{VALIDATION}")
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
            time.monotonic() - begun,
        ).write(ranked(folder, method))
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
    known = Known.read(folder / HISTORIES)
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
