"""Countries that were ordered from."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.star import keys

COLUMNS = ("country_key", "country")


def named(lines: DataFrame) -> DataFrame:
    """The rows of all countries of these lines.

    Args:
        lines: of `order_lines` at least country.
    """
    return (
        lines.select("country")
        .distinct()
        .select(keys.country_key(f.col("country")).alias("country_key"), "country")
    )


def touched(old: DataFrame, lines: DataFrame, changed: DataFrame, given_up: DataFrame | None) -> DataFrame:
    """The dimension after lines have changed.

    Args:
        old, lines, changed, given_up: as of `customers.touched`.
    """
    if given_up is not None:
        return named(lines)
    return old.select(*COLUMNS).unionByName(named(changed)).distinct()
