"""The real shop with more customers: as many articles and months, every customer several times, never quite the same.

Blocks lie in files, one file a block, so that whoever works through them holds one at a time, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TypeVar

import numpy as np

from spark_jobs.recommendations.ranking.histories import Articles, Histories, Ints, Longs, S

T = TypeVar("T")
BLOCK_ROWS = {"customers": 512, "orders": 4096}
MOVED_DAYS = 10
"""A copy's order is up to so many days earlier or later than the real one."""
REPLACED = 0.2
"""Share of a copy's lines that are of another article, one that is bought as often as articles are."""
_FIELDS = ("starts", "article", "day", "order", "units")


class InFiles:
    """Blocks that lie in files; one at a time is in memory."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._paths = sorted(folder.glob(f"{kind}-*.npz"))

    def map(self, work: Callable[[Histories], T]) -> Iterator[T]:
        """As `Blocks.map`."""
        return (work(read(path)) for path in self._paths)

    def sum(self, work: Callable[[Histories], S]) -> S:
        """As `Blocks.sum`."""
        return reduce(lambda one, other: one + other, self.map(work))


def write(
    folder: Path, customers: Histories, orders: Histories, articles: Articles, copies: int, seed: int = 1
) -> int:
    """Write so many times the real customers and orders.

    Returns:
        how many customers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = {"codes": articles.codes, "texts": articles.texts}
    (folder / "articles.json").write_text(json.dumps(catalogue), encoding="utf-8")
    for kind, whole in (("customers", customers), ("orders", orders)):
        number, size = 0, BLOCK_ROWS[kind]
        for copy in range(copies):
            made = changed(whole, copy, seed) if copy else whole
            for first in range(0, len(made), size):
                _write(
                    folder / f"{kind}-{number:05}.npz", made.of(range(first, min(first + size, len(made))))
                )
                number += 1
    return len(customers) * copies


def changed(whole: Histories, copy: int, seed: int) -> Histories:
    """Other customers who are much like these: orders moved by days, some lines of other articles.

    An order stays one order, of one day; a line that an order then has twice is there once.

    Args:
        copy: from 1 on; in the customers' names.
    """
    random = np.random.default_rng((seed, copy))
    orders = whole.row * (int(whole.order.max(initial=0)) + 1) + whole.order
    numbers, order = np.unique(orders, return_inverse=True)
    moved = random.integers(-MOVED_DAYS, MOVED_DAYS + 1, len(numbers))[order]
    day = np.clip(whole.day + moved, whole.day.min(), whole.day.max())
    drawn = whole.article[random.integers(0, len(whole.article), len(whole.article))]
    article = np.where(random.random(len(drawn)) < REPLACED, drawn, whole.article)
    keys = np.lexsort((article, order, day, whole.row))
    same = [values[keys] for values in (whole.row, order, article)]
    first = np.ones(len(keys), np.bool_)
    first[1:] = np.any([values[1:] != values[:-1] for values in same], axis=0)
    kept = keys[first]
    sizes = np.bincount(whole.row[kept], minlength=len(whole))
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return replace(
        whole,
        customers=tuple(f"{name}-{copy}" for name in whole.customers),
        starts=starts,
        article=article[kept].astype(np.int32),
        day=day[kept].astype(np.int32),
        order=_numbered(whole.row[kept], order[kept]),
        units=whole.units[kept],
    )


def _numbered(row: Longs, order: Longs) -> Ints:
    """Each customer's orders from 0 on, in the order in which they stand."""
    new = np.ones(len(order), np.bool_)
    new[1:] = (order[1:] != order[:-1]) | (row[1:] != row[:-1])
    count = np.cumsum(new) - 1
    begins = np.searchsorted(row, np.unique(row))
    base = np.zeros(int(row.max(initial=0)) + 1, np.int64)
    base[row[begins]] = count[begins]
    return np.asarray(count - base[row], np.int32)


def read(path: Path) -> Histories:
    """A block."""
    with np.load(path, allow_pickle=False) as found:
        return Histories(
            tuple(found["customers"].tolist()),
            tuple(found["countries"].tolist()),
            *(found[name] for name in _FIELDS),
        )


def articles(folder: Path) -> Articles:
    """The articles of a shop that was written."""
    found = json.loads((folder / "articles.json").read_text(encoding="utf-8"))
    return Articles(tuple(found["codes"]), tuple(found["texts"]))


def last_day(folder: Path) -> int:
    """The day after the newest event of customers."""
    days = [int(read(path).day.max(initial=0)) for path in folder.glob("customers-*.npz")]
    return max(days) + 1


def _write(path: Path, block: Histories) -> None:
    arrays = {name: getattr(block, name) for name in _FIELDS}
    np.savez(path, customers=np.array(block.customers), countries=np.array(block.countries), **arrays)
