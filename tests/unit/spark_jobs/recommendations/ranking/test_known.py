"""Pairs of customer and article against plain Python; ranking against a sort."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.recommendations.ranking.known import Known, significant, top
from tests.unit.spark_jobs.recommendations.ranking.made_histories import bought, drawn, histories

AT = 200


def test_pairs_are_what_plain_python_counts() -> None:
    block = drawn(1)
    known = Known.of(block, AT, 24)
    faded = known.faded(90.0)
    for row in range(len(block)):
        want = bought(block, row, AT)
        pairs = range(known.starts[row], known.starts[row + 1])
        assert [int(known.article[pair]) for pair in pairs] == sorted(want)
        for pair in pairs:
            days = want[int(known.article[pair])]
            assert (known.orders[pair], known.first[pair], known.last[pair]) == (
                len(days),
                min(days),
                max(days),
            )
            assert faded[pair] == pytest.approx(sum(math.exp((day - AT) / 90) for day in days), abs=1e-5)
        assert known.distinct[row] == len(want)
        assert known.last_day()[row] == max((day for days in want.values() for day in days), default=AT)


def test_orders_are_counted_once_whatever_lies_in_them() -> None:
    block = histories({"a": [(0, 1, 0), (1, 1, 0), (0, 2, 1)], "b": [(0, 3, 0), (1, 3, 1, -2)], "c": []})
    assert Known.of(block, 10, 2).customer_orders().tolist() == [2, 1, 0]


def test_seen_is_everything_ever_bought_even_when_it_was_given_back() -> None:
    block = histories({"a": [(0, 1, 0, 2), (0, 2, 1, -2), (1, 9, 2, 1)]})
    assert Known.of(block, 5, 2).seen.toarray().tolist() == [[1.0, 0.0]]
    assert Known.of(block, 5, 2).row.tolist() == []


def test_nothing_known_is_no_fault() -> None:
    known = Known.of(histories({"a": [], "b": [(0, 50, 0)]}), 5, 3)
    assert known.distinct.tolist() == [0, 0]
    assert known.customer_orders().tolist() == [0, 0]
    assert known.matrix(np.ones(0)).shape == (2, 3)


SCORES = st.lists(
    st.lists(
        st.sampled_from([-math.inf, -1.5, 0.0, 0.25, 0.250000001, 1.0, 3e-7, 7.0]), min_size=6, max_size=6
    ),
    min_size=1,
    max_size=4,
)


@given(SCORES, st.integers(1, 8), st.sampled_from([np.float32, np.float64]))
def test_the_best_are_those_of_a_sort_by_rounded_score_and_column(
    scores: list[list[float]], k: int, kind: type[np.floating]
) -> None:
    best, value = top(np.array(scores, kind), k)
    for row, own in enumerate(scores):
        want = sorted((-float(f"{v:.6g}"), c) for c, v in enumerate(own) if v > -math.inf)[:k]
        assert best[row].tolist() == [c for _, c in want] + [-1] * (k - len(want))
        assert value[row][: len(want)] == pytest.approx([-v for v, _ in want], rel=1e-5)
        assert (value[row][len(want) :] == -math.inf).all()


@given(st.lists(st.floats(-1e300, 1e300).filter(lambda v: v == 0 or abs(v) > 1e-280), max_size=5))
def test_six_significant_digits_are_those_of_formatting(values: list[float]) -> None:
    assert significant(np.array(values)) == pytest.approx([float(f"{v:.6g}") for v in values], rel=1.1e-5)


def test_the_last_bits_of_a_sum_do_not_show() -> None:
    assert significant(np.array([0.1 + 0.2]))[0] == significant(np.array([0.3]))[0] == 0.3
    assert significant(np.array([-np.inf, 0.0])).tolist() == [-math.inf, 0.0]
