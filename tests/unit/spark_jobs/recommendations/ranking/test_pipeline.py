"""From histories to records: without the future, the same in any blocks, within the contract, for any customer."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts import catalog
from contracts.validate import check
from spark_jobs.recommendations.ranking import judging
from spark_jobs.recommendations.ranking.factors import Factors
from spark_jobs.recommendations.ranking.histories import Articles, Histories, InProcess
from spark_jobs.recommendations.ranking.pipeline import Choice, choose, fit
from spark_jobs.recommendations.ranking.recipe import METHODS, Recipe
from tests.unit.spark_jobs.recommendations.ranking.made_histories import (
    Event,
    articles,
    baskets_of,
    drawn,
    histories,
    split,
)

AT, N = 260, 24
CONTRACT = catalog.contract("recommendations", 1)
BLOCK = drawn(11)
EVERY = [(name, method) for name, methods in METHODS.items() for method in methods]


def quiet(step: str) -> None:
    """Whom nobody asked for progress."""


def factors(at: int) -> Factors:
    """Something that depends on the day and on nothing else."""
    return Factors(np.random.default_rng(at).random((N, 4), np.float32))


def in_parts(block: Histories, size: int = 25, seed: int | None = None) -> InProcess:
    return InProcess(split(block, size, seed))


def chosen(block: Histories, at: int = AT, size: int = 25, seed: int | None = None, **options: Any) -> Choice:
    return choose(
        in_parts(block, size, seed),
        in_parts(baskets_of(block), size, seed),
        articles(N),
        at,
        factors,
        quiet,
        **options,
    )


def records(
    block: Histories,
    recipe: Recipe | None = None,
    at: int = AT,
    size: int = 25,
    seed: int | None = None,
    catalogue: Articles | None = None,
    baskets: Histories | None = None,
) -> dict[str, dict[str, Any]]:
    """All records by subject, each held against the contract."""
    blocks = in_parts(block, size, seed)
    orders = in_parts(baskets_of(block) if baskets is None else baskets, size, seed)
    model = fit(blocks, orders, catalogue or articles(N), at, recipe or Recipe(), factors, quiet)
    every = [one for part in blocks.map(model.records) for one in part]
    every += model.product_records() + model.country_records()
    for record in every:
        check(CONTRACT, json.dumps(record, ensure_ascii=False).encode())
    found = {record["subject"]: record for record in every}
    assert len(found) == len(every)
    return found


def codes(record: dict[str, Any], name: str) -> list[str]:
    return [item["stock_code"] for part in record["lists"] if part["name"] == name for item in part["items"]]


def with_later(block: Histories, at: int) -> Histories:
    """The same customers, with events at and after the day that turn everything round."""
    later = drawn(99, customers=len(block), days=50)
    merged: dict[str, list[Event]] = {}
    for row, name in enumerate(block.customers):
        merged[name] = [
            Event(*map(int, (part.article[e], part.day[e] + shift, part.order[e] + number, part.units[e])))
            for part, shift, number in ((block, 0, 0), (later, at, 1000))
            for e in range(part.starts[row], part.starts[row + 1])
            if part is later or part.day[e] < at
        ]
    return histories(merged, dict(zip(block.customers, block.countries, strict=True)))


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_method_gives_records_that_hold_the_contract(name: str, method: str) -> None:
    found = records(BLOCK, replace(Recipe(), **{name: method}))
    kinds = [subject.partition(":")[0] for subject in found]
    assert {kind: kinds.count(kind) for kind in kinds}.keys() == {
        "customer",
        "product",
        "country",
        "everywhere",
    }
    for record in found.values():
        for part in record["lists"]:
            scores = [item["score"] for item in part["items"]]
            assert scores == sorted(scores, reverse=True)
            if record["subject"].startswith("customer:"):
                assert all(0 <= score <= 1 for score in scores)


def test_a_customers_lists_part_what_was_bought_from_what_never_was() -> None:
    found = records(BLOCK)
    for row, name in enumerate(BLOCK.customers):
        own = slice(BLOCK.starts[row], BLOCK.starts[row + 1])
        past = BLOCK.day[own] < AT
        seen = {f"{10000 + a}" for a in BLOCK.article[own][past & (BLOCK.units[own] > 0)]}
        record = found.get(f"customer:{name}")
        if record is None:
            continue
        assert not seen & set(codes(record, "you_may_like"))
        assert set(codes(record, "buy_again")) <= seen
        assert record["country"] == BLOCK.countries[row]
        for item in record["lists"][0]["items"]:
            assert item["because"] is None or item["because"] in seen
    assert any(item["because"] for one in found.values() for part in one["lists"] for item in part["items"])


def test_reasons_of_buy_again_are_the_customers_own_orders() -> None:
    block = histories(
        {"a": [(0, 10, 0), (0, 40, 1), (1, 40, 1), (2, 40, 1, 3), (2, 41, 2, -3)], "b": [(0, 1, 0)]}
    )
    record = records(block, at=60)["customer:a"]
    items = {item["stock_code"]: item for item in record["lists"][1]["items"]}
    assert items.keys() == {"10000", "10001"}
    assert (items["10000"]["times"], items["10000"]["last_on"]) == (2, "1970-02-10")


@pytest.mark.parametrize(("size", "seed"), [(1, 1), (13, 2), (60, 3)])
def test_blocks_and_the_order_of_customers_do_not_show(size: int, seed: int) -> None:
    recipe = Recipe("learned", "next_purchase", "ease", "country_faded")
    assert records(BLOCK, recipe, size=size, seed=seed) == records(BLOCK, recipe)
    assert chosen(BLOCK, size=size, seed=seed).as_json() == chosen(BLOCK).as_json()


def test_nothing_after_the_day_changes_what_is_fitted_or_chosen() -> None:
    at = 200
    past, later = BLOCK.before(at), with_later(BLOCK, at)
    assert chosen(later, at).as_json() == chosen(past, at).as_json()
    for like in METHODS["you_may_like"]:
        recipe = Recipe(you_may_like=like)
        assert records(later, recipe, at) == records(past, recipe, at)


def test_models_that_are_judged_know_nothing_of_the_window() -> None:
    choice = chosen(with_later(BLOCK, AT - 40))
    plain = chosen(BLOCK.before(AT - 40))
    assert choice.basis is not None
    assert plain.basis is not None
    assert np.array_equal(np.asarray(choice.basis.ease), np.asarray(plain.basis.ease))
    assert np.array_equal(choice.basis.statistics.buyers.recent, plain.basis.statistics.buyers.recent)


def test_a_choice_saves_work_and_changes_nothing() -> None:
    choice, recipe = chosen(BLOCK), Recipe("ease_als", "next_purchase", "cosine", "country_all")
    said: list[str] = []
    blocks, orders = in_parts(BLOCK), in_parts(baskets_of(BLOCK))
    saved = fit(blocks, orders, articles(N), AT, recipe, factors, said.append, choice)
    plain = fit(blocks, orders, articles(N), AT, recipe, factors, quiet)
    assert saved.parameters() == plain.parameters()
    assert saved.records(BLOCK) == plain.records(BLOCK)
    assert not any("before the last" in line for line in said)


def test_the_choice_says_what_every_method_was_worth() -> None:
    choice = chosen(BLOCK)
    told = json.loads(json.dumps(choice.as_json(), allow_nan=False))
    assert (told["cut"], told["end"], told["window_days"]) == ("1970-08-09", "1970-09-18", 40)
    for name, methods in METHODS.items():
        candidates = told["lists"][name]["candidates"]
        assert tuple(candidates) == methods
        best = candidates[told["lists"][name]["winner"]]
        assert best["ndcg"] == max(one["ndcg"] for one in candidates.values())
        assert all(
            one["ndcg_interval"][0] <= one["ndcg"] <= one["ndcg_interval"][1] for one in candidates.values()
        )
    assert choice.recipe().as_json() == {name: told["lists"][name]["winner"] for name in METHODS}
    assert told["lists"]["buy_again"]["candidates"]["frequency"]["users"] > 10


def test_only_some_methods_may_compete_but_popularity_always_does() -> None:
    lists = chosen(BLOCK, only=["frequency", "ease"]).lists
    assert list(lists["you_may_like"]) == ["popularity_all", "popularity_30d", "ease"]
    assert list(lists["buy_again"]) == ["popularity_30d", "frequency"]
    assert list(lists["popular"]) == ["popularity_all", "popularity_30d"]


def test_without_a_trainer_no_method_needs_factors() -> None:
    blocks, orders = in_parts(BLOCK), in_parts(baskets_of(BLOCK))
    lists = choose(blocks, orders, articles(N), AT, None, quiet).lists
    assert not {"als", "ease_als"} & set(lists["you_may_like"])
    with pytest.raises(ValueError, match="factors of ALS"):
        fit(blocks, orders, articles(N), AT, Recipe(you_may_like="als"), None, quiet)


def test_guests_orders_train_only_what_lies_together() -> None:
    guests = {f"guest {number}": [3, 20] for number in range(40)}
    plain, more = records(BLOCK), records(BLOCK, baskets=baskets_of(BLOCK, guests))
    assert codes(more["product:10003"], "also_bought")[0] == "10020"
    assert codes(plain["product:10003"], "also_bought")[0] != "10020"
    for subject in plain:
        assert subject.startswith("product:") or plain[subject] == more[subject]


def test_a_model_comes_back_from_its_pickle_and_saves_plain_arrays() -> None:
    model = fit(
        in_parts(BLOCK), in_parts(baskets_of(BLOCK)), articles(N), AT, Recipe("learned"), factors, quiet
    )
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes of this moment
    assert again.records(BLOCK) == model.records(BLOCK)
    assert all(array.dtype != object for array in model.save().values())
    assert {"ease", "trend", "also_bought", "codes"} <= model.save().keys()
    assert json.loads(json.dumps(model.parameters(), allow_nan=False)) == model.parameters()


def test_ranks_are_the_lists_of_the_records() -> None:
    model = fit(in_parts(BLOCK), in_parts(baskets_of(BLOCK)), articles(N), AT, Recipe(), factors, quiet)
    known = BLOCK.of(np.flatnonzero(model.basis.known(BLOCK).distinct > 0).tolist())
    for row, record in enumerate(model.records(known)):
        lists = {part["name"]: part["items"] for part in record["lists"]}
        merged = sorted(
            lists["you_may_like"] + lists["buy_again"], key=lambda i: (-i["score"], i["stock_code"])
        )
        for ranked, wanted in (
            (model.rank_new(known, 5), lists["you_may_like"]),
            (model.rank_own(known, 5), lists["buy_again"]),
            (model.rank_all(known, 5), merged),
        ):
            got = [f"{10000 + article}" for article in ranked[row] if article >= 0]
            assert got == [item["stock_code"] for item in wanted[:5]]
    assert model.rank_popular("Spain", 3).tolist() == model.popular("Spain").article[:3].tolist()
    assert model.rank_also_bought(np.array([4]), 3).tolist() == [model.also_bought.article[4][:3].tolist()]


def test_test_customers_and_newcomers_are_those_of_the_rule() -> None:
    events: dict[str, list[tuple[int, ...]]] = {
        "known": [
            (0, 10, 0, 2),
            (0, 12, 1, -2),
            (1, 10, 0),
            (0, 110, 2),
            (1, 120, 3),
            (2, 110, 2),
            (3, 110, 2),
        ],
        "newcomer": [(1, 115, 0), (3, 115, 0)],
        "gone": [(2, 10, 0)],
        "later": [(1, 10, 0), (1, 500, 1)],
    }
    block = histories(events)
    basis = chosen(block, 140).basis
    assert basis is not None
    assert basis.at == 100
    test = judging.Test.of(block, basis, 140)
    assert test.block.customers == ("known",)
    assert test.everything.article.tolist() == [0, 1, 2]
    assert test.own.article.tolist() == [0, 1]
    assert test.new.article.tolist() == [2]
    truth, countries = judging.newcomers(block, basis, 140)
    assert (truth.article.tolist(), countries) == ([1], ["France"])


HOSTILE = 'say "x", \\ and \u2028 é 中 😀 </script> \t'


@pytest.mark.parametrize(
    "recipe", [Recipe("learned"), Recipe("ease_als", "frequency", "ease", "country_faded")]
)
@pytest.mark.parametrize(
    "events",
    [
        {"one": [(0, 50, 0)]},
        {"one": [(0, 50, 0)], "two": []},
        {"returned": [(0, 50, 0, 1), (0, 51, 1, -1)]},
        {"whole range": [(a, 50, 0) for a in range(N)], "b": [(a, 20, 0) for a in range(3)]},
        {"later": [(0, 500, 0)], "now": [(1, 5, 0)]},
        {"only a return": [(0, 50, 0, -4)], "b": [(5, 50, 0), (5, 51, 1)]},
    ],
)
def test_any_customer_gets_records_within_the_contract(
    events: dict[str, list[tuple[int, ...]]], recipe: Recipe
) -> None:
    texts = tuple(HOSTILE if number % 2 else None for number in range(N))
    block = histories(events, dict.fromkeys(events, "Réunion 'é\""))
    found = records(block, recipe, at=60, catalogue=Articles(articles(N).codes, texts))
    chosen(block, 60)
    assert "everywhere" in found
    for name in ("returned", "only a return", "later", "two"):
        assert f"customer:{name}" not in found
    if "whole range" in events:
        assert codes(found["customer:whole range"], "you_may_like") == []
        assert len(codes(found["customer:whole range"], "buy_again")) == N
    if "later" in events:
        assert all("10000" not in codes(one, part["name"]) for one in found.values() for part in one["lists"])


def test_one_article_is_a_catalogue() -> None:
    block = histories({"a": [(0, 5, 0), (0, 30, 1)], "b": [(0, 55, 0)]})
    model = fit(InProcess([block]), InProcess([baskets_of(block)]), articles(1), 60, Recipe(), None, quiet)
    assert [codes(record, "buy_again") for record in model.records(block)] == [["10000"], ["10000"]]
    assert model.product_records() == []


def test_long_lists_are_cut() -> None:
    n = 90
    block = histories({"all": [(a, 50, 0) for a in range(n)], "few": [(0, 50, 0)]})
    model = fit(InProcess([block]), InProcess([baskets_of(block)]), articles(n), 60, Recipe(), None, quiet)
    first, second = model.records(block)
    assert len(codes(first, "buy_again")) == 50
    assert len(codes(second, "you_may_like")) == 50
    assert len(codes(model.product_records()[0], "also_bought")) == 20
    assert len(codes(model.country_records()[-1], "popular")) == 50


def test_no_block_is_said() -> None:
    with pytest.raises(ValueError, match="no block"):
        fit(InProcess([]), InProcess([]), articles(1), 60, Recipe(), None, quiet)
