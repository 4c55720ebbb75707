"""Each model against a slow and obvious reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spark_jobs.recommendations.ranking import ease, logistic, neighbours
from spark_jobs.recommendations.ranking.factors import Factors, fold_in, ratings
from spark_jobs.recommendations.ranking.known import Floats, Known
from tests.unit.spark_jobs.recommendations.ranking.made_histories import bought, drawn, histories


def some_gram(n: int) -> Floats:
    data = np.random.default_rng(1).random((40, n))
    return np.asarray(data.T @ data)


def test_ease_is_the_closed_form() -> None:
    gram = some_gram(7)
    inverse = np.linalg.inv(gram + 3.0 * np.eye(7))
    want = [[0.0 if i == j else -inverse[i, j] / inverse[j, j] for j in range(7)] for i in range(7)]
    assert ease.weights(gram.copy(), 3.0) == pytest.approx(np.array(want), rel=1e-5)


def test_no_other_weights_explain_the_histories_better() -> None:
    data = np.random.default_rng(2).random((30, 5))
    best = ease.weights(data.T @ data, 2.0).astype(np.float64)

    def loss(weights: Floats) -> float:
        return float(((data - data @ weights) ** 2).sum() + 2.0 * (weights**2).sum())

    for i in range(5):
        for j in range(5):
            for change in (-1e-2, 1e-2):
                other = best.copy()
                other[i, j] += change * (i != j)
                assert loss(other) >= loss(best)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 20])
def test_ease_of_any_number_of_articles(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "_SLICE", 8)
    gram = some_gram(n)
    weights = ease.weights(gram.copy(), 5.0)
    inverse = np.linalg.inv(gram + 5.0 * np.eye(n))
    want = -inverse / np.diag(inverse)
    np.fill_diagonal(want, 0.0)
    assert weights == pytest.approx(want, abs=1e-4)


def test_a_matrix_that_is_no_sum_of_squares_is_refused() -> None:
    with pytest.raises(ValueError, match="positive definite"):
        ease.weights(np.array([[1.0, 9.0], [9.0, 1.0]]), 1.0)


def test_cosine_and_the_nearest() -> None:
    together = np.array([[4.0, 2.0, 2.0], [2.0, 9.0, 0.0], [2.0, 0.0, 4.0]])
    alike = neighbours.cosine(together, shrink=1.0)
    assert alike[0].tolist() == pytest.approx([0.0, 2 / (math.sqrt(36) + 1), 2 / (math.sqrt(16) + 1)])
    assert neighbours.nearest(alike, 1).toarray() == pytest.approx(
        np.array([[0.0, 2 / 7, 2 / 5], [0.0, 0.0, 0.0], [2 / 5, 0.0, 0.0]])
    )
    assert neighbours.nearest(np.zeros((0, 0))).shape == (0, 0)


def test_equal_neighbours_are_taken_by_number() -> None:
    assert neighbours.nearest(np.ones((4, 4)) - np.eye(4), 2).toarray()[:, 3].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_a_customers_factors_solve_the_half_step_of_als() -> None:
    block, rank = drawn(5, customers=12), 3
    values = np.random.default_rng(3).normal(size=(24, rank)).astype(np.float32)
    known = Known.of(block, 200, 24)
    found = fold_in(known, Factors(values))
    for row in range(len(block)):
        own = bought(block, row, 200)
        left, right = np.zeros((rank, rank)), np.zeros(rank)
        for article in range(24):
            weight = 2.0 * sum(0.5 ** ((200 - day) / 90) for day in own.get(article, []))
            y = values[article].astype(np.float64)
            left += (1.0 + weight) * np.outer(y, y)
            right += (1.0 + weight) * y if article in own else 0.0
        left += 0.05 * max(len(own), 1) * np.eye(rank)
        assert found[row] == pytest.approx(np.linalg.solve(left, right), rel=1e-4, abs=1e-6)


def test_ratings_halve_in_ninety_days() -> None:
    known = Known.of(histories({"a": [(0, 10, 0), (0, 100, 1)]}), 100 + 90, 1)
    assert ratings(known).tolist() == pytest.approx([0.25 + 0.5], abs=1e-5)


def test_logistic_regression_of_one_flag_gives_the_shares() -> None:
    flag = np.array([0.0] * 10 + [1.0] * 10)
    label = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 7 + [0.0] * 3)
    got = logistic.fit(("flag",), flag[:, None], label, penalty=1e-9)
    assert got.probability(np.array([[0.0], [1.0]])).tolist() == pytest.approx([0.2, 0.7], abs=1e-4)
    assert got.as_json()["flag"] == pytest.approx(math.log(0.7 / 0.3) - math.log(0.2 / 0.8), abs=1e-4)


def test_no_other_weights_have_less_loss() -> None:
    random = np.random.default_rng(4)
    table = random.normal(size=(300, 3)) * [1.0, 50.0, 0.1] + [0.0, 7.0, 3.0]
    label = (random.random(300) < 1 / (1 + np.exp(-table[:, 0]))).astype(float)
    got = logistic.fit(("a", "b", "c"), table, label, penalty=2.0)
    spread = table.std(axis=0)

    def loss(weights: Floats, intercept: float) -> float:
        z = table @ weights + intercept
        return float(np.logaddexp(0, z).sum() - label @ z + (((weights * spread) ** 2).sum()))

    best = loss(got.weights, got.intercept)
    for place in range(3):
        for change in (-0.05, 0.05):
            other = got.weights.copy()
            other[place] += change / spread[place]
            assert loss(other, got.intercept - change / spread[place] * table[:, place].mean()) > best
    assert loss(got.weights, got.intercept + 0.05) > best


@pytest.mark.parametrize(("label", "share"), [(0.0, 0.5 / 9), (1.0, 8.5 / 9)])
def test_where_all_labels_agree_all_probabilities_do(label: float, share: float) -> None:
    got = logistic.fit(("a",), np.arange(8.0)[:, None], np.full(8, label))
    assert got.probability(np.array([[0.0], [1e6]])).tolist() == pytest.approx([share, share], abs=1e-5)
    assert logistic.fit(("a",), np.zeros((0, 1)), np.zeros(0)).probability(np.zeros((1, 1))).tolist() == [0.5]


def test_separable_labels_and_a_column_without_spread_stay_finite() -> None:
    table = np.column_stack((np.arange(20.0), np.full(20, 3.0)))
    got = logistic.fit(("a", "same"), table, (np.arange(20) > 9).astype(float))
    assert np.isfinite(got.weights).all()
    assert got.weights[1] == 0.0
    assert (np.diff(got.probability(table)) > 0).all()
    assert got.probability(np.array([[1e9, 3.0], [-1e9, 3.0]])).tolist() == [1.0, 0.0]
