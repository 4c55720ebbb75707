"""The lists that need no customer's history, and how a customer's two lists become one scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spark_jobs.recommendations.ranking import calibration
from spark_jobs.recommendations.ranking.also_bought import AlsoBought
from spark_jobs.recommendations.ranking.customer_lists import Ranked
from spark_jobs.recommendations.ranking.popular import SHRINK, popular
from spark_jobs.recommendations.ranking.recipe import METHODS, Recipe, candidates
from spark_jobs.recommendations.ranking.statistics import Baskets, Statistics
from tests.unit.spark_jobs.recommendations.ranking.made_histories import baskets_of, drawn, histories

N = 24


def counted() -> tuple[Baskets, list[set[int]]]:
    baskets = baskets_of(drawn(6), {"guest": [0, 1, 2, 3]})
    orders = [
        set(baskets.article[baskets.starts[r] : baskets.starts[r + 1]].tolist()) for r in range(len(baskets))
    ]
    return Baskets.of(baskets, 10_000, N), orders


@pytest.mark.parametrize("method", ["co_occurrence", "cosine", "lift", "popularity_all"])
def test_also_bought_is_what_plain_python_ranks(method: str) -> None:
    baskets, orders = counted()
    got = AlsoBought.of(method, baskets, length=5)
    count = [sum(1 for order in orders if a in order) for a in range(N)]
    for one in range(N):
        scored = []
        for other in range(N):
            both = sum(1 for order in orders if one in order and other in order)
            score = {
                "co_occurrence": both,
                "cosine": both / (math.sqrt(count[one] * count[other]) + 20),
                "lift": both / (count[one] * count[other] / len(orders) + 5),
                "popularity_all": count[other],
            }[method]
            if other != one and (both or method == "popularity_all"):
                scored.append((-float(f"{score:.6g}"), other, both))
        want = sorted(scored)[:5]
        assert got.article[one][: len(want)].tolist() == [other for _, other, _ in want]
        assert got.times[one][: len(want)].tolist() == [both for _, _, both in want]
        assert (got.article[one][len(want) :] == -1).all()


def test_also_bought_by_ease_lists_only_what_shares_an_order() -> None:
    baskets, _ = counted()
    got = AlsoBought.of("ease", baskets)
    used = got.article >= 0
    assert (got.times[used] > 0).all()
    assert (np.diff(np.where(used, got.score, -1e9), axis=1) <= 0).all()


def test_an_article_that_never_shared_an_order_has_no_list() -> None:
    baskets = Baskets.of(histories({"o": [(0, 1, 0)], "p": [(1, 1, 0), (2, 1, 0)]}), 5, 4)
    got = AlsoBought.of("cosine", baskets, length=2)
    assert got.article.tolist() == [[-1, -1], [2, -1], [1, -1], [-1, -1]]


def test_a_small_countrys_list_is_near_everybodys_and_a_large_ones_its_own() -> None:
    events = {f"f{i}": [(0, 95, 0)] for i in range(30)} | {f"s{i}": [(1, 95, 0)] for i in range(2)}
    countries = {name: "France" if name[0] == "f" else "Spain" for name in events}
    statistics = Statistics.of(histories(events, countries), 100, 3)
    spain = popular("country_30d", statistics, "Spain")
    assert spain.article.tolist() == [0, 1]
    assert spain.score.tolist() == pytest.approx(
        [SHRINK * 30 / 32 / (2 + SHRINK), (2 + SHRINK * 2 / 32) / (2 + SHRINK)], rel=1e-3
    )
    assert spain.times.tolist() == [0, 2]
    many = {f"s{i}": [(1, 95, 0)] for i in range(500)} | {f"f{i}": [(0, 95, 0)] for i in range(900)}
    large = Statistics.of(histories(many, {name: name[0] for name in many}), 100, 3)
    assert popular("country_30d", large, "s").article.tolist() == [1, 0]


@pytest.mark.parametrize("method", METHODS["popular"])
def test_every_list_holds_only_what_was_bought(method: str) -> None:
    statistics = Statistics.of(drawn(7), 150, N + 3)
    for country in (None, "Spain", "nowhere"):
        got = popular(method, statistics, country)
        assert 0 < len(got.article) <= N
        assert (statistics.buyers.ever[got.article] > 0).all()
        assert (np.diff(got.score) <= 0).all()
    assert (
        popular(method, statistics, "nowhere").article.tolist()
        == popular(method, statistics, None).article.tolist()
    )


def test_of_equal_recent_buyers_the_one_with_more_buyers_ever_is_first() -> None:
    block = histories({"a": [(0, 1, 0), (1, 1, 0)], "b": [(1, 1, 0)], "c": [(2, 99, 0)]})
    assert popular("popularity_30d", Statistics.of(block, 100, 4), None).article.tolist() == [2, 1, 0]


def test_two_lists_merge_by_score_and_equal_ones_by_number() -> None:
    one = Ranked(np.array([[5, 2, -1]], np.int32), np.array([[0.5, 0.2, -np.inf]]))
    other = Ranked(np.array([[7, 1, 3]], np.int32), np.array([[0.4, 0.2, 0.1]]))
    assert one.merged(other, 5).article.tolist() == [[5, 7, 1, 2, 3]]
    assert one.merged(other, 9).article.tolist() == [[5, 7, 1, 2, 3, -1]]


def test_calibration_never_turns_the_order() -> None:
    assert calibration.falling(np.array([[0.3, 0.5, 0.1]])).tolist() == [[0.3, 0.3, 0.1]]


def test_popularity_always_competes_and_als_only_with_factors() -> None:
    assert candidates("you_may_like", ["ease", "frequency"], factors=False) == [
        "popularity_all",
        "popularity_30d",
        "ease",
    ]
    assert "als" not in candidates("you_may_like", None, factors=False)
    assert candidates("you_may_like", None, factors=True) == list(METHODS["you_may_like"])
    assert all(methods[0].startswith("popularity_") for methods in METHODS.values())


def test_a_recipe_of_unknown_methods_is_refused() -> None:
    with pytest.raises(ValueError, match="buy_again has no method ease"):
        Recipe(buy_again="ease")
    assert set(Recipe().as_json()) == set(METHODS)
