"""What holds for the dimensions: see `faults`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from spark_jobs.warehouse.audit import ROWS_SHOWN, Fault
from spark_jobs.warehouse.lake import ORDER_LINES, Lake
from spark_jobs.warehouse.star import customers, dates


@dataclass(frozen=True)
class Broken:
    """A rule and the rows that break it.

    Args:
        rows: one column, `row`: words that find the row again.
    """

    rule: str
    table: str
    rows: DataFrame

    def counted(self) -> DataFrame:
        """One row: rule, table, count."""
        return self.rows.agg(
            f.lit(self.rule).alias("rule"), f.lit(self.table).alias("table"), f.count("*").alias("count")
        )

    def shown(self) -> list[str]:
        """The first of them."""
        return [row.row for row in self.rows.orderBy("row").limit(ROWS_SHOWN).collect()]


def found(rules: list[Broken]) -> list[Fault]:
    """Those that are broken: one action where none is."""
    counts = reduce(DataFrame.unionAll, [rule.counted() for rule in rules]).collect()
    count = {(row["rule"], row["table"]): row["count"] for row in counts}
    return [
        Fault(rule.rule, rule.table, broken, rule.shown())
        for rule in rules
        if (broken := count[rule.rule, rule.table])
    ]


def faults(lake: Lake) -> list[Fault]:
    """What of the dimensions at this branch breaks a rule."""
    names = ("dim_country", "dim_customer", "dim_date", "dim_product")
    read = {name: lake.read(f"sales.{name}").cache() for name in names}
    try:
        return found(
            [
                _once("sales.dim_country", read["dim_country"], "country_key"),
                _once("sales.dim_country", read["dim_country"], "country"),
                _once("sales.dim_product", read["dim_product"], "product_key"),
                _once("sales.dim_product", read["dim_product"], "stock_code"),
                _once("sales.dim_customer", read["dim_customer"], "customer_key"),
                *_customers(read["dim_customer"]),
                _once("sales.dim_date", read["dim_date"], "date_key"),
                _calendar(read["dim_date"], dates.calendar(lake.read(ORDER_LINES))),
            ]
        )
    finally:
        for frame in read.values():
            frame.unpersist()


def _once(table: str, rows: DataFrame, column: str) -> Broken:
    more = rows.groupBy(column).agg(f.count("*").alias("times")).where("times > 1")
    return Broken(
        f"{column} is there once", table, more.select(f.concat(column, f.lit(": "), "times").alias("row"))
    )


def _customers(rows: DataFrame) -> Iterator[Broken]:
    table = "sales.dim_customer"
    row = f.concat_ws(" ", f.coalesce("customer_id", f.lit("guest")), "country", "valid_from", "customer_key")

    def breaking(rule: str, where: str, of: DataFrame) -> Broken:
        return Broken(rule, table, of.where(where).select(row.alias("row")))

    expected = customers.guest(rows)
    same = [rows[name].eqNullSafe(expected[name]) for name in customers.COLUMNS]
    there = expected.join(rows, reduce(Column.__and__, same), "left_anti")
    yield Broken("the guest is there", table, there.select(f.lit("guest").alias("row")))
    yield breaking(
        "only the guest is without name and country, and has key 0",
        "(customer_key = 0) <> (customer_id IS NULL) OR (customer_id IS NULL) <> (country IS NULL)",
        rows,
    )
    yield breaking("a row without an end is current, no other is", "is_current <> (valid_to IS NULL)", rows)
    current = rows.groupBy("customer_id").agg(f.count_if("is_current").alias("times")).where("times <> 1")
    named = f.concat(f.coalesce("customer_id", f.lit("guest")), f.lit(": "), "times")
    yield Broken("one row of a customer is current", table, current.select(named.alias("row")))
    in_time = Window.partitionBy("customer_id").orderBy("valid_from", "customer_key")
    ordered = rows.withColumns(
        {"next_from": f.lead("valid_from").over(in_time), "next_country": f.lead("country").over(in_time)}
    )
    yield breaking(
        "a customer's rows follow each other without gap and overlap",
        "NOT (valid_to <=> next_from) OR valid_to <= valid_from",
        ordered,
    )
    yield breaking("a customer's next row has another country", "country = next_country", ordered)


def _calendar(rows: DataFrame, expected: DataFrame) -> Broken:
    """Both ways: days that are missing or other than the calendar has them, and days too many."""
    columns = expected.columns
    missing = expected.join(rows, columns, "left_anti").select(
        f.concat(f.lit("missing "), "day").alias("row")
    )
    more = rows.join(expected, columns, "left_anti").select(f.concat(f.lit("not so "), "day").alias("row"))
    return Broken(
        "every day from the first to the last order, as the calendar has it",
        "sales.dim_date",
        missing.unionAll(more),
    )
