"""Measures against numbers worked out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from spark_jobs.recommendations.ranking.measures import Measures, Reach, Truth, interval, measure
from tests.unit.spark_jobs.recommendations.ranking.made_histories import histories


def truth(*bought: list[int]) -> Truth:
    starts = np.concatenate(([0], np.cumsum([len(own) for own in bought])))
    return Truth(starts.astype(np.int64), np.array([one for own in bought for one in own], np.int64))


def test_a_list_with_hits_at_one_and_three() -> None:
    got = measure(np.array([[4, 9, 7, 8]]), truth([4, 5, 7]), k=10)
    assert got.recall.tolist() == pytest.approx([2 / 3])
    assert got.ndcg.tolist() == pytest.approx([(1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4))])
    assert got.map.tolist() == pytest.approx([(1 / 1 + 2 / 3) / 3])


def test_only_the_first_k_count_and_more_than_k_cannot_be_found() -> None:
    got = measure(np.array([[1, 2, 3]]), truth([1, 2, 3, 4]), k=2)
    assert (got.recall[0], got.ndcg[0], got.map[0]) == (0.5, pytest.approx(1.0), 1.0)


def test_an_ended_list_and_no_hit_are_worth_nothing() -> None:
    got = measure(np.array([[-1, -1], [2, -1]]), truth([0], [1]))
    assert got.mean() == {"recall": 0.0, "ndcg": 0.0, "map": 0.0}
    assert len(got) == 2


def test_whoever_bought_nothing_is_not_asked() -> None:
    got = measure(np.array([[1], [1], [1]]), truth([], [1], []))
    assert (len(got), got.ndcg.tolist()) == (1, [1.0])
    assert measure(np.zeros((0, 10), np.int32), truth()).mean()["ndcg"] == 0.0


def test_an_article_bought_twice_is_one() -> None:
    block = histories({"a": [(3, 1, 0), (3, 2, 1), (1, 2, 1)], "b": []})
    got = Truth.of(block)
    assert (got.starts.tolist(), got.article.tolist()) == ([0, 2, 2], [1, 3])
    assert got.where(got.article == 3).starts.tolist() == [0, 1, 1]


def test_means_do_not_depend_on_the_order_of_customers() -> None:
    values = np.random.default_rng(1).random(999)
    turned = values[::-1].copy()
    assert Measures(values, values, values).mean() == Measures(turned, turned, turned).mean()
    assert interval(values, seed=3) == interval(turned, seed=3)


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).random(2500)
    low, high = interval(values, seed=1)
    error = values.std() / 50
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)
    assert interval(np.zeros(0), seed=1) == (0.0, 0.0)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_coverage_and_novelty_of_two_blocks() -> None:
    reach = Reach.of(np.array([[0, 1, 3]]), 4, k=2) + Reach.of(np.array([[0, -1]]), 4, k=2)
    assert reach.shown.tolist() == [2, 1, 0, 0]
    assert reach.coverage() == 0.5
    assert reach.novelty(np.array([8, 2, 0, 1]), users=8) == pytest.approx((0 + 0 + 2) / 3)
    assert Reach.of(np.zeros((0, 2), int), 4).novelty(np.ones(4), 8) == 0.0
