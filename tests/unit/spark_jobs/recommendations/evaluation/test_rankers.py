"""What the other methods rank, and that blocks do not show in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation import rankers
from spark_jobs.recommendations.evaluation.asking import Asking
from spark_jobs.recommendations.evaluation.plain_als import COURSE
from spark_jobs.recommendations.evaluation.rankers import Als, AnswersOf, Ours, OwnHistory
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.factors import Factors
from spark_jobs.recommendations.ranking.histories import Histories, Ints
from spark_jobs.recommendations.ranking.statistics import Statistics
from tests.unit.spark_jobs.recommendations.evaluation.small_shop import drawn, histories, in_blocks

AT, END, ARTICLES = 100, 120, 12


@dataclass(frozen=True)
class ByName:
    """Ranks by the customer's name, and notes what it is shown."""

    def rank_all(self, block: Histories, k: int) -> Ints:
        assert (block.day < AT).all()
        first = np.array([int(name[1:]) % ARTICLES for name in block.customers], np.int32)
        return np.column_stack([first, *([np.full(len(block), -1, np.int32)] * (k - 1))])

    def rank_new(self, block: Histories, k: int) -> Ints:
        return np.full((len(block), k), 7, np.int32)


def test_own_history_is_what_was_ordered_most_then_what_most_buy() -> None:
    shop = histories(
        {
            "a": [(90, 0, 1), (92, 0, 1), (90, 1, 1), (91, 2, 1)],
            "b": [(95, 3, 1), (95, 2, 1)],
            "c": [(95, 3, 1), (20, 4, 1)],
        }
    )
    basis = Basis(Statistics.of(shop, AT, 6), np.ones(6))
    ranked = OwnHistory(basis).rank(shop, 6, new=False)
    assert ranked[0].tolist() == [0, 2, 1, 3, 4, -1]
    assert OwnHistory(basis).rank(shop, 4, new=True)[0].tolist() == [3, 4, -1, -1]


def test_als_leaves_out_what_it_never_saw_and_if_asked_what_is_not_new() -> None:
    shop = histories({"a": [(90, 0, 1), (91, 1, -1), (90, 1, 1)], "b": [(90, 2, 1)]})
    values = np.array([[1, 0], [1, 0.1], [0.5, 0], [0, 0]], np.float32)
    method = Als(Factors(values), COURSE, AT)
    assert method.rank(shop, 4, new=False)[0].tolist() == [0, 1, 2, -1]
    assert method.rank(shop, 4, new=True)[0].tolist() == [2, -1, -1, -1]


@pytest.mark.parametrize("size", [1, 7, 60])
def test_answers_are_in_order_of_names_whatever_the_blocks(size: int) -> None:
    whole = histories(drawn(60, ARTICLES, 50, 120))
    work = AnswersOf(Asking(AT, END, np.ones(ARTICLES, np.bool_)), {"ours": Ours(ByName())})
    parts = list(in_blocks(whole, size).map(work))[::-1]
    found = rankers.answers(parts, ["ours"])["ours"]
    names = [whole.customers[row] for row in Asking(AT, END, np.ones(ARTICLES, np.bool_)).rows(whole)]
    assert found.all[:, 0].tolist() == [int(name[1:]) % ARTICLES for name in names]
    assert found.new.shape == (len(names), 10)
    assert set(found.new.ravel().tolist()) == {7}
