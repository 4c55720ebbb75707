"""More customers are like the real ones, and not the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.recommendations import shop
from spark_jobs.recommendations.ranking.histories import Articles, Histories

REAL = Histories(
    ("a", "b", "c"),
    ("EIRE", "France", "EIRE"),
    np.array([0, 4, 4, 7]),
    np.array([1, 2, 1, 3, 0, 1, 2], np.int32),
    np.array([10, 10, 12, 40, 30, 30, 31], np.int32),
    np.array([0, 0, 1, 2, 0, 0, 1], np.int32),
    np.array([1, 5, -1, 2, 1, 1, 1], np.int32),
)
ARTICLES = Articles(("00000", "00001", "00002", "00003"), ("A", None, "C", "Ł'\""))


@pytest.mark.parametrize("copy", range(1, 30))
def test_a_copy_holds_what_histories_promise(copy: int) -> None:
    made = shop.changed(REAL, copy, seed=1)
    assert made.customers == (f"a-{copy}", f"b-{copy}", f"c-{copy}")
    assert made.countries == REAL.countries
    keys = list(zip(made.row, made.day, made.order, made.article, strict=True))
    assert keys == sorted(set(keys))
    assert (made.day >= 10).all()
    assert (made.day <= 40).all()
    for row in range(3):
        orders = made.order[made.starts[row] : made.starts[row + 1]].tolist()
        assert sorted(set(orders)) == list(range(len(set(orders))))
        days = made.day[made.starts[row] : made.starts[row + 1]]
        for order in set(orders):
            assert len(set(days[np.array(orders) == order].tolist())) == 1


def test_copies_differ_and_come_again_from_the_same_seed() -> None:
    one, other, again = shop.changed(REAL, 1, 1), shop.changed(REAL, 2, 1), shop.changed(REAL, 1, 1)
    assert not np.array_equal(one.day, other.day)
    assert np.array_equal(one.day, again.day)
    assert np.array_equal(one.article, again.article)


def test_files_hold_every_customer_once_in_bounded_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop, "BLOCK_ROWS", {"customers": 2, "orders": 2})
    assert shop.write(tmp_path, REAL, REAL, ARTICLES, copies=3) == 9
    blocks = list(shop.InFiles(tmp_path, "customers").map(lambda block: block))
    assert [len(block) for block in blocks] == [2, 1] * 3
    names = [name for block in blocks for name in block.customers]
    assert names == [f"{name}{own}" for own in ("", "-1", "-2") for name in "abc"]
    assert np.array_equal(blocks[0].article, REAL.article[:4])
    assert shop.articles(tmp_path) == ARTICLES
    assert shop.last_day(tmp_path) == 41
