"""What the job is told by its environment, beside what every Spark job is."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import setting
from spark_jobs.settings import SparkSettings


@dataclass(frozen=True, kw_only=True)
class RecommendationSettings(SparkSettings):
    """How much is recommended, and by which factors."""

    max_articles: int = setting(
        "CADABRA_RECOMMENDATIONS_MAX_ARTICLES",
        default=10_000,
        minimum=1,
        maximum=30_000,
        help="articles that are recommended at most, those with most buyers; memory grows with their square",
    )
    near_rows: int = setting(
        "CADABRA_RECOMMENDATIONS_NEAR_ROWS",
        default=100_000,
        minimum=0,
        maximum=1_000_000,
        help="customers, or orders, up to which their histories are reckoned with in the driver; some 1.5 KB a row",
    )
    seed: int = setting(
        "CADABRA_RECOMMENDATIONS_SEED",
        default=1,
        minimum=0,
        maximum=2**31 - 1,
        help="of everything that is drawn; the same input and seed give the same lists",
    )
    als_rank: int = setting(
        "CADABRA_ALS_RANK", default=64, minimum=1, maximum=512, help="factors of an article, of Spark's ALS"
    )
    als_iterations: int = setting(
        "CADABRA_ALS_ITERATIONS", default=10, minimum=1, maximum=100, help="rounds of Spark's ALS"
    )
