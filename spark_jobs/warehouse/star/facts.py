"""Facts: one row an order line, with the keys of what it is about."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse import months
from spark_jobs.warehouse.lake import Lake
from spark_jobs.warehouse.star import keys

NAME = "fact_order_lines"
TABLE = f"sales.{NAME}"
IDENTITY = ("source", "order_id", "line_id")
COLUMNS = (
    *IDENTITY,
    "date_key",
    "customer_key",
    "product_key",
    "country_key",
    "kind",
    "currency",
    "ordered_at",
    "quantity",
    "unit_price",
    "amount",
)
AMOUNT = "CAST(quantity * unit_price AS DECIMAL(28, 4))"
"""Exact: a whole number of 32 bits times 14 digits before the point and 4 behind it has at most 24 and 4."""


def of_lines(lines: DataFrame, customers: DataFrame) -> DataFrame:
    """A fact of every line.

    Args:
        lines: rows of `order_lines`.
        customers: rows of the dimension; all of these lines' customers among them.
    """
    return _as_of(lines, customers.where(f"customer_key <> {keys.GUEST}")).select(
        *IDENTITY,
        keys.date_key(f.col("ordered_at")).alias("date_key"),
        f.when(f.col("customer_id").isNull(), f.lit(keys.GUEST).cast("bigint"))
        .otherwise(f.col("key_then"))
        .alias("customer_key"),
        keys.product_key(f.col("stock_code")).alias("product_key"),
        keys.country_key(f.col("country")).alias("country_key"),
        "kind",
        "currency",
        "ordered_at",
        "quantity",
        "unit_price",
        f.expr(AMOUNT).alias("amount"),
    )


def of_identities(facts: DataFrame, lines: DataFrame) -> DataFrame:
    """The facts of these lines as they are: their identities, times and keys.

    Args:
        lines: rows that have at least `IDENTITY`.
    """
    columns = (*IDENTITY, "ordered_at", "customer_key", "product_key")
    return facts.select(*columns).join(lines.select(*IDENTITY), list(IDENTITY), "left_semi")


def without(rows: DataFrame, facts: DataFrame, held: Collection[int]) -> DataFrame:
    """Those of the rows that are not the same already, to the last column.

    Args:
        facts: as they are.
        held: months that hold all facts of these rows' identities.
    """
    there = facts.where(_month().isin(*held))
    return rows.join(there, list(COLUMNS), "left_anti").select(*COLUMNS)


def rekeyed(facts: DataFrame, shrunk: DataFrame, customers: DataFrame) -> DataFrame:
    """Facts whose customer's row no longer holds at their time, with the key of the one that does.

    Args:
        facts: as they are.
        shrunk: rows of the dimension that are gone or end earlier.
        customers: the dimension as it will be.
    """
    theirs = facts.join(shrunk.select("customer_key", "customer_id"), "customer_key")
    moved = _as_of(theirs, customers.where(f"customer_key <> {keys.GUEST}")).where("key_then <> customer_key")
    return moved.withColumn("customer_key", f.col("key_then")).select(*COLUMNS)


def _as_of(rows: DataFrame, customers: DataFrame) -> DataFrame:
    """The rows with `key_then`, the key of the customer's row that holds at ordered_at."""
    then = customers.select(
        f.col("customer_id").alias("id_then"),
        f.col("customer_key").alias("key_then"),
        f.col("valid_from").alias("from_then"),
        f.col("valid_to").alias("until_then"),
    )
    holds = f.expr(
        "customer_id = id_then AND ordered_at >= from_then AND (until_then IS NULL OR ordered_at < until_then)"
    )
    return rows.join(then, holds, "left")


def write(lake: Lake, rows: DataFrame, held: Collection[int]) -> None:
    """Bring facts into the table.

    Args:
        rows: new ones, and others in the place of those of the same identity.
        held: the months that hold facts to be replaced; no other file is read or written again.
    """
    if not held:
        # Spread by month without a look at the data first, as an order over the whole would need.
        rows.writeTo(lake.name(TABLE)).option("distribution-mode", "hash").append()
        return
    rows.createOrReplaceTempView("facts_to_write")
    same = " AND ".join(f"t.{name} = s.{name}" for name in IDENTITY)
    lake.spark.sql(
        f"MERGE INTO {lake.name(TABLE)} AS t USING facts_to_write AS s\n"
        f"ON {same} AND {months.condition('t.ordered_at', held)}\n"
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )


def months_of(facts: DataFrame) -> list[int]:
    """The months that these facts lie in, in order, as `months` numbers them."""
    # A number needs no zone on its way to the driver.
    found = facts.select(_month().alias("month")).distinct().collect()
    return sorted(row.month for row in found)


def _month() -> Column:
    return f.expr(months.number_of("ordered_at"))
