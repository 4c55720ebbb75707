"""What goes from process to process in an evaluation: who bought what, what is asked for, and what each method ranks.

Plain NumPy archives without pickled objects, one folder a cut-off. Needs NumPy and SciPy alone: peers read it in an
environment of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking.histories import Ints, Longs
from spark_jobs.recommendations.ranking.measures import Measures, Truth

DEPTH = 10
"""How many places of a list are measured."""
_MEASURES = ("recall", "ndcg", "map")
TEST, VALIDATION = "test", "validation"
"""Two questions of each cut-off: the one that is measured, and the one that a grid may be judged by."""


@dataclass(frozen=True)
class Question:
    """What is known of all customers when a day begins: all that a peer gets to see.

    Args:
        at: the day, days since 1970-01-01.
        articles: how many there are; an article's number is below it.
        starts: int64[customers + 1].
        article: int32[events], of customer c `starts[c]:starts[c + 1]`: orders of it, cancelled ones left out.
        day: int32[events].
        asked: int64: the customers for whom a ranking is wanted, rising.
        seen: of the asked ones everything that they ever ordered: what is not new to them.
    """

    at: int
    articles: int
    starts: Longs
    article: Ints
    day: Ints
    asked: Longs
    seen: Truth

    @property
    def row(self) -> Longs:
        """The customer of each event."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def write(self, folder: Path, name: str) -> None:
        """Write it as one of the folder's questions."""
        _write(
            folder / f"{name}.npz",
            at=self.at,
            articles=self.articles,
            starts=self.starts,
            article=self.article,
            day=self.day,
            asked=self.asked,
            seen_starts=self.seen.starts,
            seen_article=self.seen.article,
        )

    @classmethod
    def read(cls, folder: Path, name: str) -> Question:
        """One of the folder's questions.

        Raises:
            FileNotFoundError: nobody has written it.
        """
        with np.load(folder / f"{name}.npz", allow_pickle=False) as found:
            return cls(
                int(found["at"]),
                int(found["articles"]),
                found["starts"],
                found["article"],
                found["day"],
                found["asked"],
                Truth(found["seen_starts"], found["seen_article"]),
            )


def write_truth(folder: Path, name: str, truth: Truth) -> None:
    """Put aside what the asked customers of a question bought afterwards: a file of its own."""
    _write(folder / f"{name}-truth.npz", starts=truth.starts, article=truth.article)


def read_truth(folder: Path, name: str) -> Truth:
    """What the asked customers of a question bought afterwards."""
    with np.load(folder / f"{name}-truth.npz", allow_pickle=False) as found:
        return Truth(found["starts"], found["article"])


@dataclass(frozen=True)
class Ranked:
    """What one method ranks for the customers that are asked for.

    Args:
        all: int32[asked, DEPTH], the best first; -1 where there is no more.
        new: the same among what the customer has never ordered.
    """

    all: Ints
    new: Ints

    def write(self, folder: Path, method: str) -> None:
        """Write it as a method's answer."""
        _write(folder / "ranked" / f"{method}.npz", all=self.all, new=self.new)

    @classmethod
    def read(cls, folder: Path, method: str) -> Ranked | None:
        """A method's answer; None where it gave none."""
        path = folder / "ranked" / f"{method}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as found:
            return cls(found["all"], found["new"])


def write_lists(folder: Path, name: str, found: Mapping[str, Measures]) -> None:
    """Put aside what a list for guests was worth in each case, by method."""
    values = {
        f"{method}/{measure}": getattr(measures, measure)
        for method, measures in found.items()
        for measure in _MEASURES
    }
    _write(folder / f"list-{name}.npz", **values)


def read_lists(folder: Path, name: str) -> dict[str, Measures]:
    """What a list for guests was worth in each case, by method."""
    with np.load(folder / f"list-{name}.npz", allow_pickle=False) as found:
        methods = dict.fromkeys(key.partition("/")[0] for key in found.files)
        return {
            method: Measures(*(found[f"{method}/{measure}"] for measure in _MEASURES)) for method in methods
        }


def _write(path: Path, **values: NDArray[Any] | int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = values
    np.savez(path, **arrays)
