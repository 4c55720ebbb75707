"""What an evaluation has Spark's ALS train, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.als import ItemFactors
from spark_jobs.recommendations.evaluation import plain_als
from spark_jobs.recommendations.evaluation.plain_als import COURSE, PLAIN, AlsSettings
from spark_jobs.recommendations.on_spark import OnSpark
from spark_jobs.recommendations.settings import RecommendationSettings

Values = Callable[[int], NDArray[np.float32]]


def trainers(blocks: OnSpark, n_articles: int, settings: RecommendationSettings) -> dict[str, Values]:
    """`ours`: the candidate that may win; `plain`: implicit ALS as it comes; `course`: explicit ALS on a constant.

    Each is given a day and trains on what was bought before it; float32[articles, rank].
    """
    ours = ItemFactors(blocks, n_articles, settings.als_rank, settings.als_iterations, settings.seed)
    found = {"ours": ours, "plain": _as(PLAIN, ours), "course": _as(COURSE, ours)}
    return {name: partial(_values, trained) for name, trained in found.items()}


def _as(stated: AlsSettings, like: ItemFactors) -> ItemFactors:
    return ItemFactors(
        like.blocks,
        like.n_articles,
        stated.rank,
        stated.iterations,
        like.seed,
        rate=partial(plain_als.ratings, settings=stated),
        implicit=stated.implicit,
        alpha=stated.alpha,
        regularisation=stated.regularisation,
    )


def _values(trained: ItemFactors, at: int) -> NDArray[np.float32]:
    return trained(at).values
