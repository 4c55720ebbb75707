"""What was given back is no purchase, and the future is not known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.netting import purchases
from tests.unit.spark_jobs.recommendations.ranking.made_histories import bought, histories

EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 3), st.integers(-3, 3).filter(bool)),
    max_size=12,
)


def lines(block: Histories) -> list[tuple[int, ...]]:
    columns = (block.row, block.article, block.day, block.order, block.units)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_what_was_given_back_in_full_is_no_purchase_and_in_part_is_one() -> None:
    block = histories(
        {"a": [(0, 1, 0, 5), (0, 2, 1, -5), (1, 1, 0, 5), (1, 2, 1, -4), (2, 1, 0, 1), (2, 1, 1, -9)]}
    )
    assert lines(purchases(block, 10)) == [(0, 1, 1, 0, 5)]


def test_a_return_counts_from_its_day_on() -> None:
    block = histories({"a": [(0, 1, 0, 5), (0, 4, 1, -5)]})
    assert lines(purchases(block, 4)) == [(0, 0, 1, 0, 5)]
    assert lines(purchases(block, 5)) == []


def test_one_customers_return_takes_nothing_from_another() -> None:
    block = histories({"a": [(0, 1, 0, 5)], "b": [(0, 1, 0, -5)], "c": []})
    assert lines(purchases(block, 10)) == [(0, 0, 1, 0, 5)]


@given(st.lists(EVENTS, min_size=1, max_size=4), st.integers(0, 10))
def test_it_is_what_the_rule_says(customers: list[list[tuple[int, ...]]], at: int) -> None:
    block = histories({f"c{number}": own for number, own in enumerate(customers)})
    got = purchases(block, at)
    for row in range(len(block)):
        days: dict[int, list[int]] = {}
        for place in range(got.starts[row], got.starts[row + 1]):
            days.setdefault(int(got.article[place]), []).append(int(got.day[place]))
        assert days == bought(block, row, at)


@given(st.lists(EVENTS, min_size=1, max_size=4), st.lists(EVENTS, min_size=4, max_size=4), st.integers(0, 10))
def test_what_comes_later_changes_nothing(
    customers: list[list[tuple[int, ...]]], later: list[list[tuple[int, ...]]], at: int
) -> None:
    plain = histories({f"c{number}": [e for e in own if e[1] < at] for number, own in enumerate(customers)})
    more = histories(
        {
            f"c{number}": [e for e in own if e[1] < at]
            + [(a, at + d, 50 + o, u) for a, d, o, u in later[number]]
            for number, own in enumerate(customers)
        }
    )
    assert lines(purchases(more, at)) == lines(purchases(plain, at))
    assert np.array_equal(purchases(more, at).starts, purchases(plain, at).starts)
