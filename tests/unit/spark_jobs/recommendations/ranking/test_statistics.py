"""What a pass finds out about articles, against plain Python, and the same however customers are put into blocks."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
import pytest

from spark_jobs.recommendations.ranking.known import Known
from spark_jobs.recommendations.ranking.statistics import SHORT_DAYS, Baskets, Gram, Statistics
from tests.unit.spark_jobs.recommendations.ranking.made_histories import (
    baskets_of,
    bought,
    drawn,
    histories,
    split,
)

AT, N = 200, 24


def test_buyers_are_what_plain_python_counts() -> None:
    block = drawn(2)
    got = Statistics.of(block, AT, N)
    want = [bought(block, row, AT) for row in range(len(block))]
    assert got.customers == sum(1 for own in want if own)
    for article in range(N):
        last = [max(own[article]) for own in want if article in own]
        assert got.buyers.ever[article] == len(last)
        assert got.repeaters[article] == sum(1 for own in want if len(own.get(article, [])) > 1)
        for days in SHORT_DAYS:
            assert got.buyers.within(days)[article] == sum(1 for day in last if AT - day <= days)
        assert got.buyers.faded[article] == pytest.approx(
            sum(math.exp((day - AT) / 90) for day in last), abs=1e-4
        )
    for country in ("Spain", "France", "Eire"):
        here = [own for own, name in zip(want, block.countries, strict=True) if name == country]
        assert got.countries[country].ever.tolist() == [sum(1 for own in here if a in own) for a in range(N)]


def test_trend_is_the_share_of_buyers_that_are_recent() -> None:
    block = histories({"a": [(0, 10, 0), (1, 90, 1)], "b": [(0, 95, 0)], "c": [(0, 70, 0), (0, 69, 1)]})
    assert Statistics.of(block, 100, 3).trend().tolist() == [(2 + 1) / (3 + 1), 1.0, 1.0]


def test_what_was_sold_counts_even_when_it_came_back() -> None:
    got = Statistics.of(histories({"a": [(0, 1, 0, 2), (0, 2, 1, -2), (1, 60, 2)]}), 50, 2)
    assert (got.sold.tolist(), got.buyers.ever.tolist(), got.customers) == ([1, 0], [0, 0], 0)


@pytest.mark.parametrize("kind", ["faded", "binary"])
def test_a_gram_matrix_is_the_sum_over_customers(kind: str) -> None:
    block = drawn(3, customers=20)
    known = Known.of(block, AT, N)
    want = np.zeros((N, N))
    for row in range(len(block)):
        own = bought(block, row, AT)
        weight = min(1.0, 5 / max(len(own), 1))
        for one in own:
            for other in own:
                value = [
                    math.sqrt(sum(math.exp((day - AT) / 180) for day in own[i])) if kind == "faded" else 1.0
                    for i in (one, other)
                ]
                want[one, other] += weight * value[0] * value[1]
    assert Gram.of(known, kind, damped_from=5).dense() == pytest.approx(want, abs=2e-3)


def test_a_wholesaler_weighs_less() -> None:
    block = histories({"w": [(a, 1, 0) for a in range(10)], "a": [(0, 1, 0), (1, 1, 0)]})
    gram = Gram.of(Known.of(block, 10, 10), "binary", damped_from=5).dense()
    assert gram[0, 1] == pytest.approx(0.5 + 1.0, abs=1e-3)
    assert gram[2, 3] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("size", "seed"), [(1, 1), (7, 2), (60, 3)])
def test_blocks_add_up_to_the_same_bits(size: int, seed: int) -> None:
    block = drawn(4)
    whole, parts = Statistics.of(block, AT, N), split(block, size, seed)
    added = reduce(lambda a, b: a + b, [Statistics.of(part, AT, N) for part in parts])
    assert (added.customers, set(added.countries)) == (whole.customers, set(whole.countries))
    for name in ("ever", "recent", "faded"):
        assert np.array_equal(getattr(added.buyers, name), getattr(whole.buyers, name))
        for country, buyers in whole.countries.items():
            assert np.array_equal(getattr(added.countries[country], name), getattr(buyers, name))
    for kind in ("faded", "binary"):
        gram = reduce(lambda a, b: a + b, [Gram.of(Known.of(part, AT, N), kind, 4) for part in parts])
        assert np.array_equal(gram.dense(), Gram.of(Known.of(block, AT, N), kind, 4).dense())


def test_orders_with_both_are_counted_guests_too() -> None:
    block = histories({"a": [(0, 1, 0), (1, 1, 0), (1, 2, 1), (2, 2, 1, -1)]})
    baskets = baskets_of(block, {"g": [0, 1, 2], "late": [0]}, day=5)
    got = Baskets.of(baskets.before(6), 6, 3) + Baskets.of(baskets, 1, 3)
    assert got.orders == 4
    assert got.together.dense().tolist() == [[3, 2, 1], [2, 3, 1], [1, 1, 1]]
