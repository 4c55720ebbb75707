"""Customers and where each was when: a row for every run of one country (slowly changing dimension, type 2)."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as f

from spark_jobs.warehouse.star import keys

COLUMNS = ("customer_key", "customer_id", "country", "valid_from", "valid_to", "is_current")


def intervals(lines: DataFrame) -> DataFrame:
    """The rows of all customers of these lines, and the guest.

    A run begins with the first line of another country than the line before, and ends where the next one begins; the
    first one begins with the customer's first line. Of two countries at one instant the first by code points holds.

    Args:
        lines: all lines of every customer that is meant; of `order_lines` at least customer_id, country, ordered_at.
    """
    instants = (
        lines.where("customer_id IS NOT NULL")
        .groupBy("customer_id", f.col("ordered_at").alias("valid_from"))
        .agg(f.min("country").alias("country"))
    )
    in_time = Window.partitionBy("customer_id").orderBy("valid_from")
    begun = instants.withColumn("before", f.lag("country").over(in_time)).where(
        "before IS NULL OR before <> country"
    )
    known = begun.withColumn("valid_to", f.lead("valid_from").over(in_time)).select(
        keys.customer_key(f.col("customer_id"), f.col("valid_from")).alias("customer_key"),
        "customer_id",
        "country",
        "valid_from",
        "valid_to",
        f.col("valid_to").isNull().alias("is_current"),
    )
    return known.unionByName(guest(lines))


def guest(of: DataFrame) -> DataFrame:
    """The row of those whom nothing is known of.

    Args:
        of: any frame of the session.
    """
    return of.sparkSession.range(1).selectExpr(
        f"CAST({keys.GUEST} AS BIGINT) AS customer_key",
        "CAST(NULL AS STRING) AS customer_id",
        "CAST(NULL AS STRING) AS country",
        "TIMESTAMP '1970-01-01 00:00:00' AS valid_from",
        "CAST(NULL AS TIMESTAMP) AS valid_to",
        "true AS is_current",
    )


def touched(old: DataFrame, lines: DataFrame, changed: DataFrame, given_up: DataFrame | None) -> DataFrame:
    """The dimension after lines have changed: customers without a changed line keep their rows.

    Args:
        old: the dimension as it is.
        lines: all of `order_lines`.
        changed: those that were added or replaced.
        given_up: facts of the lines that were replaced, as they were; None where there is none.
    """
    names = changed.select("customer_id")
    if given_up is not None:
        names = names.unionByName(old.join(given_up, "customer_key", "left_semi").select("customer_id"))
    names = names.where("customer_id IS NOT NULL").distinct()
    theirs = lines.select("customer_id", "country", "ordered_at").join(names, "customer_id", "left_semi")
    others = old.where("customer_id IS NOT NULL").join(names, "customer_id", "left_anti")
    return others.select(*COLUMNS).unionByName(intervals(theirs))


def shrunk(old: DataFrame, new: DataFrame) -> DataFrame:
    """Rows that are gone or end earlier than they did: facts may refer to them where they no longer hold.

    Args:
        old, new: the dimension before and after.
    """
    still = new.select(f.col("customer_key").alias("key_still"), f.col("valid_to").alias("until_still"))
    covered = f.expr("customer_key = key_still AND (until_still IS NULL OR valid_to <= until_still)")
    return old.join(still, covered, "left_anti")
