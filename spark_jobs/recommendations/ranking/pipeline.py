"""From histories to a model: which method wins each list on the last window, and the winners fitted anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from spark_jobs.recommendations.ranking import logistic, returning
from spark_jobs.recommendations.ranking.also_bought import AlsoBought
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.customer_lists import LEARNED, Heads, Lessons, names_of
from spark_jobs.recommendations.ranking.factors import Factors, TrainFactors
from spark_jobs.recommendations.ranking.histories import Articles, Blocks
from spark_jobs.recommendations.ranking.judging import JudgeBaskets, JudgeCustomers
from spark_jobs.recommendations.ranking.learning import gather
from spark_jobs.recommendations.ranking.logistic import Logistic
from spark_jobs.recommendations.ranking.measures import Measures, interval
from spark_jobs.recommendations.ranking.model import Model
from spark_jobs.recommendations.ranking.recipe import LIST_LENGTH, METHODS, WINDOW_DAYS, Recipe, candidates
from spark_jobs.recommendations.ranking.statistics import Baskets

__all__ = ["Choice", "Factors", "Say", "TrainFactors", "choose", "fit"]

SEED = 1

Say = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """What each list's methods were worth on the window before the day of training, and which one won.

    Args:
        cut: first day of the window; models that were judged know what happened before it.
        end: first day after the window.
        lists: of each list and method its measures.
        basis: the models that were judged, which `fit` at the same day learns its weights from.
    """

    cut: int
    end: int
    lists: Mapping[str, Mapping[str, Measures]]
    basis: Basis | None = field(default=None, repr=False, compare=False)

    def recipe(self) -> Recipe:
        """The winners: the best mean NDCG, to six digits; of equal ones the earlier in `METHODS`."""
        return Recipe(**{name: self.winner(name) for name in METHODS})

    def winner(self, name: str) -> str:
        """The method that won a list; its first yardstick where the window had nobody to judge by."""
        found = self.lists[name]
        return max(
            found, key=lambda method: (round(found[method].mean()["ndcg"], 6), -METHODS[name].index(method))
        )

    def as_json(self) -> dict[str, Any]:
        """For a manifest: days, and of each list the winner and every candidate's measures."""
        return {
            "cut": str(np.datetime64(self.cut, "D")),
            "end": str(np.datetime64(self.end, "D")),
            "window_days": self.end - self.cut,
            "lists": {
                name: {
                    "winner": self.winner(name),
                    "candidates": {method: _figures(found) for method, found in methods.items()},
                }
                for name, methods in self.lists.items()
            },
        }


def choose(
    blocks: Blocks,
    baskets: Blocks,
    articles: Articles,
    at: int,
    train_factors: TrainFactors | None,
    say: Say,
    only: Collection[str] | None = None,
) -> Choice:
    """Judge every method on the last 40 days before `at`, with models that know nothing of them.

    Args:
        blocks: all customers' events.
        baskets: all orders, guests' too, one row each.
        at: first day that nothing may be known of.
        train_factors: gives ALS' factors; None to leave the methods out that need them.
        say: told each step.
        only: names of methods that may compete; None for all. Popularity always does.

    Raises:
        ValueError: there is no block.
    """
    cut, n = at - WINDOW_DAYS, len(articles)
    of = {name: candidates(name, only, train_factors is not None) for name in METHODS}
    methods = {*of["you_may_like"], *of["buy_again"]}
    say(f"models of the {WINDOW_DAYS} days before the window that is judged")
    weights = _learned(blocks, cut, n, methods, say) if methods & set(LEARNED) else {}
    say("models of what came before the window")
    basis = Basis.of(blocks, cut, n, methods, train_factors)
    say(f"{len(methods)} methods are judged")
    judge = JudgeCustomers(basis, at, of, weights)
    found = blocks.sum(judge).lists
    say("orders are judged")
    counted = baskets.sum(partial(Baskets.of, at=cut, n_articles=n))
    tables = {method: AlsoBought.of(method, counted) for method in of["also_bought"]}
    sold = np.diag(counted.together.dense()) > 0
    found |= baskets.sum(
        JudgeBaskets(cut, at, sold, {name: table.article for name, table in tables.items()})
    ).lists
    lists = {name: {method: found[name, method] for method in of[name]} for name in METHODS}
    return Choice(cut, at, lists, basis)


def fit(
    blocks: Blocks,
    baskets: Blocks,
    articles: Articles,
    at: int,
    recipe: Recipe,
    train_factors: TrainFactors | None,
    say: Say,
    choice: Choice | None = None,
) -> Model:
    """Fit a recipe on everything before a day; weights are learned from the last 40 days before it.

    Args:
        blocks: all customers' events.
        baskets: all orders, guests' too, one row each.
        at: first day that nothing may be known of.
        train_factors: None where the recipe needs no ALS.
        say: told each step.
        choice: of the same histories; where it was made for this day and judged the recipe's methods, its models serve
            once more instead of being fitted again. It changes nothing in the result.

    Raises:
        ValueError: there is no block, or ALS is needed and cannot be had.
    """
    methods, n = {recipe.you_may_like, recipe.buy_again}, len(articles)
    earlier = choice.basis if choice is not None and choice.end == at else None
    if earlier is None or not earlier.serves(methods):
        say(f"models of what came before the last {WINDOW_DAYS} days")
        earlier = Basis.of(blocks, at - WINDOW_DAYS, n, methods, train_factors)
    say("weights are learned from these days")
    heads = _heads(blocks, earlier, at, recipe.you_may_like, recipe.buy_again)
    del earlier
    say("models of everything")
    basis = Basis.of(blocks, at, n, methods, train_factors)
    say("what lies in orders together")
    also = AlsoBought.of(recipe.also_bought, baskets.sum(partial(Baskets.of, at=at, n_articles=n)))
    return Model(recipe, articles, basis, heads, also)


def _learned(blocks: Blocks, end: int, n: int, methods: Collection[str], say: Say) -> dict[str, Logistic]:
    """Weights of the methods that learn, from the window that ends at a day."""
    chosen = [method for method in LEARNED if method in methods]
    basis = Basis.of(blocks, end - WINDOW_DAYS, n, chosen, None)
    say("weights are learned from the window before")
    like = "learned" if "learned" in chosen else "popularity_all"
    again = "next_purchase" if "next_purchase" in chosen else "frequency"
    heads = _heads(blocks, basis, end, like, again)
    return {like: heads.new, again: heads.own}


def _heads(blocks: Blocks, basis: Basis, end: int, like: str, again: str) -> Heads:
    parts = list(blocks.map(Lessons(basis, end, like, again, LIST_LENGTH)))
    names = (names_of(like), names_of(again), returning.FEATURES)
    lessons = [gather(part[place] for part in parts) for place in range(len(names))]
    learned = [
        logistic.fit(each, lesson.features, lesson.labels)
        for each, lesson in zip(names, lessons, strict=True)
    ]
    return Heads(like, again, *learned)


def _figures(measures: Measures) -> dict[str, Any]:
    means = {name: float(f"{value:.6g}") for name, value in measures.mean().items()}
    low, high = interval(measures.ndcg, SEED)
    return {**means, "users": len(measures), "ndcg_interval": [float(f"{low:.6g}"), float(f"{high:.6g}")]}
