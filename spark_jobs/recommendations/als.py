"""Spark's own ALS on what customers bought: factors of the articles; a customer's are folded in where they are needed.

The same input and seed give the same factors: ratings lie and are sorted by customer and article, in partitions and
blocks whose number is a function of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS

from spark_jobs.recommendations.on_spark import Columns, Numbers, OnSpark
from spark_jobs.recommendations.ranking.factors import ALPHA, REGULARISATION, Factors, ratings
from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.known import Floats, Known

Rate = Callable[[Known], Floats]
_SCHEMA = "customer int, article int, rating float"


@dataclass(frozen=True)
class ItemFactors:
    """Trains ALS on what was bought before a day.

    Args:
        blocks: all customers.
        n_articles: how many articles there are.
        rank: factors of an article.
        iterations: rounds over both sides.
        seed: of the factors that it begins with.
        rate: what a customer's purchases of an article count; recent orders by default.
        implicit: whether a rating says how sure a purchase is, or is to be found again as it stands.
    """

    blocks: OnSpark
    n_articles: int
    rank: int
    iterations: int
    seed: int
    rate: Rate = ratings
    implicit: bool = True
    alpha: float = ALPHA
    regularisation: float = REGULARISATION

    def __call__(self, at: int) -> Factors:
        """The factors before a day, float32[articles, rank]; zeros of an article that was not bought."""
        values = np.zeros((self.n_articles, self.rank), np.float32)
        rated = self.blocks.frame(Rated(at, self.n_articles, self.rate), _SCHEMA)
        blocks = self.blocks.partitions
        # Without what made them: ALS makes dozens of jobs, each of which carries along all steps before it.
        placed = (
            rated.repartition(blocks, "customer")
            .sortWithinPartitions("customer", "article")
            .localCheckpoint()
        )
        if placed.isEmpty():
            return Factors(values)
        found = self._als(blocks).fit(placed).itemFactors.toArrow()
        features = found.column("features").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values[found.column("id").to_numpy()] = features.reshape(-1, self.rank)
        return Factors(values)

    def _als(self, blocks: int) -> ALS:
        return ALS(
            userCol="customer",
            itemCol="article",
            ratingCol="rating",
            implicitPrefs=self.implicit,
            rank=self.rank,
            maxIter=self.iterations,
            alpha=self.alpha,
            regParam=self.regularisation,
            seed=self.seed,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
            checkpointInterval=-1,
        )


@dataclass(frozen=True)
class Rated:
    """The triples of a block, as work for `OnSpark.frame`."""

    at: int
    n_articles: int
    rate: Rate

    def __call__(self, block: Histories, numbers: Numbers) -> Columns:
        known = Known.of(block, self.at, self.n_articles)
        return {
            "customer": pa.array(numbers[known.row], pa.int32()),
            "article": pa.array(known.article.astype(np.int32), pa.int32()),
            "rating": pa.array(self.rate(known).astype(np.float32), pa.float32()),
        }
