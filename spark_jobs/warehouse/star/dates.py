"""Every day from the first to the last one with an order, in UTC."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.star import keys

_SATURDAY = 6


def calendar(lines: DataFrame) -> DataFrame:
    """The days of these lines and between them; none where there are no lines.

    Args:
        lines: of `order_lines` at least ordered_at, whose least and greatest value the table knows without a scan.
    """
    ends = lines.agg(f.min("ordered_at").alias("first"), f.max("ordered_at").alias("last"))
    days = ends.where("first IS NOT NULL").select(
        f.explode(f.sequence(f.to_date("first"), f.to_date("last"))).alias("day")
    )
    weekday = f.weekday("day") + 1
    return days.select(
        keys.date_key(f.col("day")).alias("date_key"),
        "day",
        f.year("day").alias("year"),
        f.quarter("day").alias("quarter"),
        f.month("day").alias("month"),
        f.dayofmonth("day").alias("day_of_month"),
        f.extract(f.lit("YEAROFWEEK"), "day").alias("iso_year"),
        f.weekofyear("day").alias("iso_week"),
        weekday.alias("weekday"),
        (weekday >= _SATURDAY).alias("is_weekend"),
    )
