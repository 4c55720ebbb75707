"""The audit of `order_lines`, against what landed and what was there, counted apart from the MERGE that it judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.arrivals import Arrival
from spark_jobs.warehouse.audit import ROWS_SHOWN, Fault
from spark_jobs.warehouse.lake import LOADED_OBJECTS, ORDER_LINES, Lake
from spark_jobs.warehouse.landing import position
from spark_jobs.warehouse.merge import IDENTITY, Changes, amount, content


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over `order_lines`.

    Args:
        amount: of quantity times price over all currencies: a check, no figure of the business.
        newest: when the stream took the newest line; None without lines.
    """

    lines: int
    quantity: int
    amount: Decimal
    newest: datetime | None


def totals(lake: Lake) -> Totals:
    """Sums over the lines at this branch."""
    row = (
        lake.read(ORDER_LINES)
        .agg(
            f.count("*").alias("lines"),
            f.sum("quantity").alias("quantity"),
            f.sum(amount()).alias("amount"),
            _newest(),
        )
        .collect()[0]
    )
    newest = None if row.newest is None else datetime.fromisoformat(row.newest)
    return Totals(row.lines, row.quantity or 0, row.amount or Decimal(0), newest)


def sums(before: Totals, changed: Changes, after: Totals) -> list[Fault]:
    """Whether the table grew by the changes and by nothing else."""
    expected = {
        "lines": before.lines + changed.new,
        "sum of quantity": before.quantity + changed.quantity,
        "sum of amount": before.amount + changed.amount,
    }
    found = {"lines": after.lines, "sum of quantity": after.quantity, "sum of amount": after.amount}
    return [
        Fault(f"{name} as before and what landed", ORDER_LINES, 1, [f"{found[name]}, expected {value}"])
        for name, value in expected.items()
        if found[name] != value
    ]


def lines(lake: Lake, landed: DataFrame, found: DataFrame, whole: bool) -> tuple[list[Fault], int]:
    """Whether every identity that landed is in the table once, as its smallest position says it.

    Args:
        lake: at the branch.
        found: rows of these identities that were in the table before.
        whole: look for doubles among all rows of the table, not only among those that landed.

    Returns:
        the faults, and how many identities had more than one content.
    """
    table = lake.read(ORDER_LINES)
    if not whole:
        table = table.join(landed.select(*IDENTITY), list(IDENTITY), "left_semi")
    row = f.struct(position().alias("position"), content().alias("content"))
    was = f.struct(position().alias("position"), "content")
    expected = landed.select(*IDENTITY, row.alias("row")).unionAll(found.select(*IDENTITY, was.alias("row")))
    both = expected.select(*IDENTITY, f.lit(False).alias("is_there"), "row").unionAll(
        table.select(*IDENTITY, f.lit(True), row)
    )
    there = f.col("is_there")
    judged = both.groupBy(*IDENTITY).agg(
        f.count_if(there).alias("rows"),
        f.min(f.when(there, f.col("row"))).alias("there"),
        f.min(f.when(~there, f.col("row"))).alias("expected"),
        (f.min("row.content") != f.max("row.content")).alias("conflict"),
    )
    judged = judged.withColumn(
        "check",
        f.when(f.col("rows") > 1, _TWICE)
        .when(f.col("rows") == 0, _MISSING)
        .when(f.col("there") != f.col("expected"), _OTHER),
    )
    told = judged.groupBy("check").agg(
        f.count("*").alias("count"),
        f.count_if("conflict").alias("conflicts"),
        f.slice(f.collect_list(f.when(f.col("check").isNotNull(), f.struct(*IDENTITY))), 1, ROWS_SHOWN).alias(
            "rows"
        ),
    )
    rows = told.collect()
    faults = [
        Fault(row.check, ORDER_LINES, row["count"], [_named(one) for one in row.rows])
        for row in rows
        if row.check
    ]
    return faults, sum(row.conflicts for row in rows)


def unique(lake: Lake) -> list[Fault]:
    """Whether no identity is in the table twice, over all of it."""
    doubled = lake.read(ORDER_LINES).groupBy(*IDENTITY).count().where("count > 1").persist()
    count = doubled.count()
    rows = [_named(row) for row in doubled.limit(ROWS_SHOWN).collect()] if count else []
    doubled.unpersist()
    return [Fault(_TWICE, ORDER_LINES, count, rows)] if count else []


def objects(lake: Lake, taken: Sequence[Arrival], before: int) -> list[Fault]:
    """Whether every object is in `loaded_objects`, once.

    Args:
        taken: by this run.
        before: objects loaded before it.
    """
    rows = lake.read(LOADED_OBJECTS).agg(f.count("*"), f.count_distinct("object_key")).collect()[0]
    expected = before + len(taken)
    if tuple(rows) == (expected, expected):
        return []
    return [
        Fault("every object once", LOADED_OBJECTS, 1, [f"{rows[0]} rows, {rows[1]} keys, {expected} loaded"])
    ]


def fresh(changed: Changes, after: Totals) -> list[Fault]:
    """Whether the newest line that landed is there."""
    if not changed:
        return []
    newest = changed.rows.agg(_newest()).collect()[0].newest
    if after.newest is not None and after.newest >= datetime.fromisoformat(newest):
        return []
    return [Fault("the newest line that landed", ORDER_LINES, 1, [f"newest {after.newest}, landed {newest}"])]


def _newest() -> Column:
    """When the newest line arrived, as text: a timestamp would come in this machine's time zone."""
    return f.date_format(f.max("arrived_at"), "yyyy-MM-dd'T'HH:mm:ss.SSSXXX").alias("newest")


_TWICE = "an identity more than once"
_MISSING = "a line that landed is not there"
_OTHER = "a line that is not the first one that landed"


def _named(row: object) -> str:
    return " ".join(str(getattr(row, name)) for name in IDENTITY)
