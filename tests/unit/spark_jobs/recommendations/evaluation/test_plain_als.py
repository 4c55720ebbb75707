"""Customers' factors are what Spark's own last half-step gives: the minimum of the loss for fixed articles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation.plain_als import COURSE, PLAIN, AlsSettings, fold_in, ratings
from spark_jobs.recommendations.ranking.known import Known
from tests.unit.spark_jobs.recommendations.evaluation.small_shop import drawn, histories

ARTICLES = 9


def _loss(user: np.ndarray, known: Known, row: int, values: np.ndarray, settings: AlsSettings) -> float:
    """The customer's part of the loss, term by term."""
    own = range(known.starts[row], known.starts[row + 1])
    rating = {int(known.article[pair]): float(ratings(known, settings)[pair]) for pair in own}
    total = settings.regularisation * len(rating) * float(user @ user)
    for article in range(ARTICLES) if settings.implicit else rating:
        predicted = float(user @ values[article])
        given = rating.get(article, 0.0)
        trust = 1 + settings.alpha * given if settings.implicit else 1.0
        wanted = float(given > 0) if settings.implicit else given
        total += trust * (wanted - predicted) ** 2
    return total


@pytest.mark.parametrize("settings", [PLAIN, COURSE, replace(PLAIN, alpha=7.0)])
def test_no_step_aside_is_better(settings: AlsSettings) -> None:
    known = Known.of(histories(drawn(6, ARTICLES, 10, 60)), 60, ARTICLES)
    random = np.random.default_rng(3)
    values = random.normal(size=(ARTICLES, 4)).astype(np.float32)
    found = fold_in(known, values, settings)
    for row in range(6):
        least = _loss(found[row], known, row, values, settings)
        for step in np.vstack((np.eye(4), -np.eye(4))) * 1e-3:
            assert _loss(found[row] + step, known, row, values, settings) > least


def test_a_customer_without_purchases_has_no_factors() -> None:
    known = Known.of(histories({"a": [(70, 1, 1)], "b": [(50, 1, 1)]}), 60, ARTICLES)
    found = fold_in(known, np.ones((ARTICLES, 2), np.float32), COURSE)
    assert not found[0].any()
    assert found[1].any()
