"""What goes from process to process in an evaluation: who bought what, what is asked for, and what each method ranks.

Plain NumPy archives without pickled objects, one folder a cut-off. Needs NumPy alone: peers read it in an environment
of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
A = TypeVar("A", bound="Archive")
DEPTH = 10
"""How many places of a list are measured."""
HISTORIES, VALIDATION, TRUTH, ORDERS = "histories.npz", "validation.npz", "truth.npz", "orders.npz"
NEWCOMERS = "newcomers.npz"


class Archive:
    """A dataclass of arrays and numbers that can be put into a file."""

    def write(self, path: Path) -> None:
        """Write it; the folder is made where it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        np.savez(path, **values)

    @classmethod
    def read(cls: type[A], path: Path) -> A:
        """Read what `write` has written.

        Raises:
            FileNotFoundError: nobody has.
        """
        with np.load(path, allow_pickle=False) as found:
            return cls(**{name: found[name] for name in found.files})


@dataclass(frozen=True)
class Lists(Archive):
    """Some articles for each of n rows.

    Args:
        starts: int64[n + 1].
        article: int32, of row r `starts[r]:starts[r + 1]`, each once, rising.
    """

    starts: Longs
    article: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def row(self) -> Longs:
        """The row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def of(self, rows: Longs) -> Lists:
        """Some of the rows, in this order."""
        sizes = np.diff(self.starts)[rows]
        starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        places = np.repeat(self.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
        return Lists(starts, self.article[places])

    def without(self, other: Lists) -> Lists:
        """Of each row what the other's row does not have."""
        width = 1 + max((int(one.article.max()) for one in (self, other) if len(one.article)), default=0)
        own = self.row * width + self.article
        return lists(self.row, self.article, len(self), ~np.isin(own, other.row * width + other.article))


def lists(row: Longs, article: Ints, count: int, keep: NDArray[np.bool_] | None = None) -> Lists:
    """Entries in any order, perhaps more than once, as lists.

    Args:
        row: of each entry its row, 0 to `count` - 1.
        keep: which entries count; all of them where absent.
    """
    if keep is not None:
        row, article = row[keep], article[keep]
    width = int(article.max()) + 1 if len(article) else 1
    keys = np.unique(row * np.int64(width) + article)
    starts = np.searchsorted(keys, np.arange(count + 1, dtype=np.int64) * width)
    return Lists(starts.astype(np.int64), (keys % width).astype(np.int32))


@dataclass(frozen=True)
class Known(Archive):
    """What is known of all customers when a day begins: all that a peer gets to see.

    Args:
        at: the day, days since 1970-01-01.
        articles: how many there are; an article's number is below it.
        starts, article, day, order: purchases, cancelled ones left out, as `Histories` has them.
        seen_starts, seen_article: everything that was ever ordered, as `Lists`: what is not new to a customer.
        asked: int64: rows of the customers for whom a ranking is wanted.
    """

    at: int
    articles: int
    starts: Longs
    article: Ints
    day: Ints
    order: Ints
    seen_starts: Longs
    seen_article: Ints
    asked: Longs

    @property
    def row(self) -> Longs:
        """The customer of each purchase."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def seen(self) -> Lists:
        """Everything that was ever ordered, by customer."""
        return Lists(self.seen_starts, self.seen_article)


@dataclass(frozen=True)
class Ranked(Archive):
    """What one method ranks for the customers that are asked for.

    Args:
        all: int32[asked, DEPTH], the best first; -1 where there is no more.
        new: the same among what the customer has never ordered.
        seconds: of training and ranking.
    """

    all: Ints
    new: Ints
    seconds: float


def ranked(folder: Path, method: str) -> Path:
    """Where a method's ranking for a cut-off lies."""
    return folder / "ranked" / f"{method}.npz"
