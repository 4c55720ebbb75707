"""The part of an evaluation that needs the lake's engine: train, rank, and hand over to whoever measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.progress import Progress
from spark_jobs.recommendations.evaluation import asking, guests, rankers
from spark_jobs.recommendations.evaluation.asking import Asking, Before
from spark_jobs.recommendations.evaluation.handover import TEST, VALIDATION, write_lists, write_truth
from spark_jobs.recommendations.evaluation.plain_als import COURSE, PLAIN
from spark_jobs.recommendations.evaluation.rankers import Als, Ours, OwnHistory, Ranker
from spark_jobs.recommendations.ranking import pipeline
from spark_jobs.recommendations.ranking.baselines import baselines
from spark_jobs.recommendations.ranking.factors import Factors, TrainFactors
from spark_jobs.recommendations.ranking.histories import Articles, Blocks, Histories
from spark_jobs.recommendations.ranking.model import Model
from spark_jobs.recommendations.ranking.recipe import WINDOW_DAYS
from spark_jobs.recommendations.ranking.statistics import Baskets, Statistics

OURS, OWN_HISTORY, ALS, COURSE_ALS = "ours", "own_history", "spark_als", "course_als"
_EPOCH = date(1970, 1, 1)
FACTS = "facts.json"
TrainValues = Callable[[int], NDArray[np.float32]]
"""Trains ALS on what was bought before a day; gives articles' factors, float32[articles, rank]."""


@dataclass(frozen=True)
class World:
    """Everything that there is to train with and to ask for.

    Args:
        end: the day after the newest event, days since 1970-01-01.
    """

    blocks: Blocks
    baskets: Blocks
    articles: Articles
    factors: Mapping[str, TrainValues]
    end: int


def run(
    blocks: Blocks,
    baskets: Blocks,
    articles: Articles,
    factors: Mapping[str, TrainValues],
    cuts: Sequence[str],
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Rank with everything that is at home here, at each cut-off, and write what the rest of the evaluation needs.

    Args:
        blocks: all customers, with all that they did, also after the cut-offs; what is trained never sees that.
        baskets: all orders, guests' included.
        factors: what trains ALS: `ours` as `train` has it, `plain` by `plain_als.PLAIN`, `course` by
            `plain_als.COURSE`; an absent one is a method that is not measured.
        cuts: days as YYYY-MM-DD: what was ordered before is known, what was ordered from then on is asked for.
        folder: where a folder for each cut-off is written.

    Returns:
        by cut-off: seconds by phase, the recipe that was chosen, customers and articles in numbers; JSON-able.

    Raises:
        ValueError: nobody bought anything after a cut-off, or nothing was bought before.
    """
    world = World(blocks, baskets, articles, factors, blocks.sum(_newest).day + 1)
    found = {}
    for cut in cuts:
        own = Progress(lambda line, cut=cut: progress.say(f"{cut}: {line}"))  # type: ignore[misc]
        found[cut] = _at(world, (date.fromisoformat(cut) - _EPOCH).days, folder / cut, own)
    return found


def _at(world: World, at: int, folder: Path, progress: Progress) -> dict[str, Any]:
    before, baskets, count = Before(world.blocks, at), Before(world.baskets, at), len(world.articles)
    with progress.phase("who is asked for"):
        statistics = before.sum(partial(Statistics.of, at=at, n_articles=count))
        test = _ask(world, Asking(at, world.end, statistics.sold > 0), folder, TEST)
        first = at - WINDOW_DAYS
        earlier = Before(world.blocks, first).sum(partial(Statistics.of, at=first, n_articles=count))
        _ask(world, Asking(first, at, earlier.sold > 0), folder, VALIDATION)
    trained: dict[str, Ranker] = {}
    ours = _ours(world)
    with progress.phase("choice"):
        choice = pipeline.choose(before, baskets, world.articles, at, ours, progress.say)
    recipe = choice.recipe()
    with progress.phase("fit"):
        model = pipeline.fit(before, baskets, world.articles, at, recipe, ours, progress.say, choice)
        trained[OURS] = Ours(model)
    with progress.phase("others"):
        others = baselines(before, at, count)
        trained |= {**others, OWN_HISTORY: OwnHistory(others[OWN_HISTORY].basis)}
        trained |= _als(world, at)
    with progress.phase("rankings"):
        parts = world.blocks.map(rankers.AnswersOf(test, trained))
        for method, ranked in rankers.answers(parts, trained).items():
            ranked.write(folder, method)
    with progress.phase("lists for guests"):
        _guests(world, folder, statistics, model)
    facts = {
        "recipe": recipe.as_json(),
        "choice": choice.as_json(),
        "parameters": model.parameters(),
        "customers": statistics.customers,
        "articles": int((statistics.sold > 0).sum()),
        "phases_s": progress.phases_s,
    }
    np.savez(folder / "buyers.npz", buyers=statistics.buyers.ever, customers=statistics.customers)
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return facts


def _ask(world: World, asked: Asking, folder: Path, name: str) -> Asking:
    """Write a question and its truth; who is asked for, of too many some."""
    wanted = asking.bounded(world.blocks, asked)
    question, truth = asking.question(world.blocks.map(asking.PartOf(wanted)), wanted.at, len(world.articles))
    if not len(truth):
        raise ValueError(f"{folder.name}: nobody who was known bought anything in the {name} window")
    question.write(folder, name)
    write_truth(folder, name, truth)
    return wanted


def _ours(world: World) -> TrainFactors | None:
    """What trains our candidate; the choice and the fit ask for the same day."""
    train = world.factors.get("ours")
    return None if train is None else cache(lambda at: Factors(train(at)))


def _als(world: World, at: int) -> dict[str, Ranker]:
    wanted = {ALS: ("plain", PLAIN), COURSE_ALS: ("course", COURSE)}
    return {
        method: Als(Factors(world.factors[name](at)), settings, at)
        for method, (name, settings) in wanted.items()
        if name in world.factors
    }


def _guests(world: World, folder: Path, statistics: Statistics, model: Model) -> None:
    at, recipe = statistics.at, model.recipe
    counted = Before(world.baskets, at).sum(partial(Baskets.of, at=at, n_articles=len(world.articles)))
    also = guests.also_bought(
        world.baskets, counted, (at, world.end), (recipe.also_bought, model.also_bought)
    )
    write_lists(folder, guests.ALSO_BOUGHT, also)
    popular = guests.popular_lists(world.blocks, statistics, world.end, recipe.popular)
    write_lists(folder, guests.POPULAR, popular)


@dataclass(frozen=True)
class _Newest:
    day: int

    def __add__(self, other: _Newest) -> _Newest:
        return _Newest(max(self.day, other.day))


def _newest(block: Histories) -> _Newest:
    return _Newest(int(block.day.max()) if len(block.day) else 0)
