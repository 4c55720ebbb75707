"""On the real orders, cut at 2011-10-10, what is chosen on validation reaches the goals on what came after."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import pytest

from spark_jobs.recommendations.ranking.baselines import baselines
from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.judging import Test as Window
from spark_jobs.recommendations.ranking.measures import Measures, measure
from spark_jobs.recommendations.ranking.model import Model
from spark_jobs.recommendations.ranking.pipeline import Choice, choose, fit
from tests.retail_histories import Retail, retail

pytestmark = pytest.mark.timeout(600)

CUT = (datetime.date(2011, 10, 10) - datetime.date(1970, 1, 1)).days
K = 10


@dataclass(frozen=True)
class Trained:
    """What was trained on everything before the cut, and how it did after it."""

    choice: Choice
    model: Model
    new: Measures
    everything: Measures


@pytest.fixture(scope="module")
def trained() -> Trained:
    data = retail()
    customers, orders = data.blocks(), data.orders()
    choice = choose(customers, orders, data.articles, CUT, None, print)
    model = fit(customers, orders, data.articles, CUT, choice.recipe(), None, print, choice)
    new, everything = measured(data, model)
    return Trained(choice, model, new, everything)


def measured(data: Retail, model: Model) -> tuple[Measures, Measures]:
    tests = [Window.of(block, model.basis, last(data.histories)) for block in data.blocks().map(whole)]
    new = [measure(model.rank_new(test.block, K), test.new) for test in tests]
    everything = [measure(model.rank_all(test.block, K), test.everything) for test in tests]
    return sum(new[1:], new[0]), sum(everything[1:], everything[0])


def whole(block: Histories) -> Histories:
    return block


def last(histories: Histories) -> int:
    return int(histories.day.max()) + 1


def test_new_articles_are_found_better_than_by_the_best_of_thirteen_tried_methods(trained: Trained) -> None:
    assert len(trained.new) > 1500
    assert trained.new.mean()["ndcg"] > 0.123
    assert trained.new.mean()["recall"] > 0.067


def test_all_articles_are_found_better_than_by_own_history_and_als(trained: Trained) -> None:
    assert len(trained.everything) > 1700
    assert trained.everything.mean()["ndcg"] > 0.373


def test_every_winner_beat_popularity_on_validation(trained: Trained) -> None:
    for name, methods in trained.choice.lists.items():
        best = methods[trained.choice.winner(name)].mean()["ndcg"]
        assert best > max(
            one.mean()["ndcg"] for method, one in methods.items() if method.startswith("popularity_")
        )


def test_what_others_use_does_as_it_was_measured_elsewhere(trained: Trained) -> None:
    """The figures that an independent program found, so the test set is the same; own history is no weaker here."""
    data = retail()
    tests = [
        Window.of(block, trained.model.basis, last(data.histories)) for block in data.blocks().map(whole)
    ]
    known = {"popularity_all": 0.096, "item_knn": 0.222}
    got = {}
    for name, baseline in baselines(data.blocks(), CUT, len(data.articles)).items():
        parts = [measure(baseline.rank(test.block, K, new=False), test.everything) for test in tests]
        got[name] = sum(parts[1:], parts[0]).mean()["ndcg"]
    assert {name: got[name] for name in known} == pytest.approx(known, abs=0.002)
    assert got["popularity_30d"] > 0.112
    assert 0.366 < got["own_history"] < trained.everything.mean()["ndcg"]
