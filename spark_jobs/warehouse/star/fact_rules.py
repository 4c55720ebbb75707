"""What holds for the facts: each refers to what is there, and they are the order lines, no more and no less."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.audit import Fault
from spark_jobs.warehouse.lake import ORDER_LINES, Lake
from spark_jobs.warehouse.star import facts, keys
from spark_jobs.warehouse.star.dimension_rules import Broken, found

_RULES = {
    "date_key is in dim_date": "day IS NULL",
    "customer_key is in dim_customer": "valid_from IS NULL",
    "product_key is in dim_product": "stock_code IS NULL",
    "country_key is in dim_country": "country IS NULL",
    "date_key is the day of ordered_at": "date_key <> day_key",
    "the customer's row holds at ordered_at": (
        f"customer_key <> {keys.GUEST} AND (ordered_at < valid_from OR ordered_at >= valid_to)"
    ),
    "amount is quantity times unit_price": f"amount <> {facts.AMOUNT}",
}
"""What breaks each rule that a fact can break by itself."""
_ONCE = "an order line is there once"
_EQUAL = "facts and order lines are the same, in number, sum and every value"
_CONTENT = (
    "customer_id",
    "stock_code",
    "country",
    "kind",
    "currency",
    "ordered_at",
    "quantity",
    "unit_price",
)
"""What a line and its fact have in common beside their identity, the fact's by way of its dimensions."""


def faults(lake: Lake) -> list[Fault]:
    """What of the facts at this branch breaks a rule.

    Args:
        lake: at a branch whose dimensions hold no key twice.
    """
    stored, resolved, lines = lake.read(facts.TABLE), _resolved(lake), lake.read(ORDER_LINES)
    suspects = _suspects(stored, resolved, lines)
    rules = {rule: resolved.where(broken) for rule, broken in _RULES.items()}
    rules[_ONCE] = stored.groupBy(*facts.IDENTITY).count().where("count > 1")
    rules[_EQUAL] = _other(resolved, lines)
    row = f.concat_ws(" ", *facts.IDENTITY).alias("row")
    broken = [Broken(rule, facts.TABLE, rows.select(row)) for rule, rows in rules.items() if rule in suspects]
    return found(broken) if broken else []


def _resolved(lake: Lake) -> DataFrame:
    """Every fact with what its keys stand for, null where they stand for nothing."""
    customers = lake.read("sales.dim_customer").select(
        "customer_key", "customer_id", "valid_from", "valid_to"
    )
    return (
        lake.read(facts.TABLE)
        .join(lake.read("sales.dim_date").select("date_key", "day"), "date_key", "left")
        .join(customers, "customer_key", "left")
        .join(lake.read("sales.dim_product").select("product_key", "stock_code"), "product_key", "left")
        .join(lake.read("sales.dim_country"), "country_key", "left")
        .withColumn("day_key", keys.date_key(f.col("ordered_at")))
    )


def _suspects(stored: DataFrame, resolved: DataFrame, lines: DataFrame) -> set[str]:
    """The rules that some row may break: one action, in which no two large tables meet.

    Facts and lines are compared by day and country, by number, sums, and a digest of all values that both have. Lines
    that are there twice are looked for by a hash of their identity.
    """
    broken = [f.count_if(f.expr(where)).alias(rule) for rule, where in _RULES.items()]
    ours = _summed(resolved, f.sum("amount"), *broken)
    theirs = _summed(
        lines.withColumn("day_key", keys.date_key(f.col("ordered_at"))), f.sum(f.expr(facts.AMOUNT))
    )
    both = ours.join(theirs.withColumnRenamed("summed", "lines"), ["day_key", "country"], "full")
    checks = both.agg(
        *[f.sum(f"`{rule}`").alias(rule) for rule in _RULES],
        f.count_if(~f.col("summed").eqNullSafe(f.col("lines"))).alias(_EQUAL),
    )
    twice = (
        stored.select(f.xxhash64(*facts.IDENTITY).alias("hash")).groupBy("hash").count().where("count > 1")
    )
    row = checks.crossJoin(twice.agg(f.count("*").alias(_ONCE))).collect()[0]
    return {rule for rule, count in row.asDict().items() if count}


def _summed(rows: DataFrame, amount: Column, *more: Column) -> DataFrame:
    """By day and country: what both sides must agree in, as `summed`, and more."""
    digest = f.bit_xor(f.xxhash64(*facts.IDENTITY, *_CONTENT))
    summed = f.struct(
        f.count("*").alias("rows"),
        f.sum("quantity").alias("units"),
        amount.alias("amount"),
        digest.alias("digest"),
    )
    # A fact without its country would else meet nothing, not even itself.
    return rows.groupBy("day_key", f.coalesce("country", f.lit("")).alias("country")).agg(
        summed.alias("summed"), *more
    )


def _other(resolved: DataFrame, lines: DataFrame) -> DataFrame:
    """Identities that only one side has, or whose values differ."""
    content = f.struct(*_CONTENT)
    ours = resolved.select(*facts.IDENTITY, content.alias("ours"))
    theirs = lines.select(*facts.IDENTITY, content.alias("theirs"))
    return ours.join(theirs, list(facts.IDENTITY), "full").where(~f.col("ours").eqNullSafe(f.col("theirs")))
