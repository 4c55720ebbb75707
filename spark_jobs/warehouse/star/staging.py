"""Brings the star of a branch up to date with its order lines, at a cost that follows what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.lake import ORDER_LINES, Lake
from spark_jobs.warehouse.star import countries, customers, dates, exported, facts, products

KEYS = {
    "dim_country": "country_key",
    "dim_customer": "customer_key",
    "dim_date": "date_key",
    "dim_product": "product_key",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """What a run changed in one table of the star.

    Args:
        rows_changed: new, other than before, or gone.
        total_rows: of the table after the run.
    """

    rows_changed: int
    total_rows: int


def stage(lake: Lake, changed: DataFrame, run: str) -> dict[str, Staged]:
    """Write a run's dimensions and facts to its branch, and the facts to its export as well.

    A table whose rows stay as they are gets no new snapshot.

    Args:
        lake: at the run's branch, where `order_lines` holds the run's lines already.
        changed: rows of `order_lines` that the run added or replaced, as they are now. Read several times.
        run: its name.

    Returns:
        by table, every one of `export.TABLES`.
    """
    old_facts = lake.read(facts.TABLE)
    given_up = facts.of_identities(old_facts, changed).cache()
    held = set(facts.months_of(given_up)) if old_facts.count() else set()
    old = {name: lake.read(f"sales.{name}").cache() for name in KEYS}
    new = _dimensions(lake, old, changed, given_up if held else None)
    staged = _compared(old, new)
    cached = [given_up, *old.values(), *new.values()]

    rows = facts.of_lines(changed, new["dim_customer"])
    if held:
        rows = facts.without(rows, old_facts, held)
    shrunk = customers.shrunk(old["dim_customer"], new["dim_customer"])
    if not shrunk.isEmpty():
        moved = facts.rekeyed(old_facts, shrunk, new["dim_customer"])
        moved = moved.join(changed, list(facts.IDENTITY), "left_anti").select(*facts.COLUMNS).cache()
        cached.append(moved)
        held |= set(facts.months_of(moved))
        rows = rows.unionByName(moved)
    # What is written to the table is what the export holds; from here on nothing asks for the rows as they were.
    kept = exported.write(lake, run, facts.NAME, rows)
    _write_dimensions(lake, new, staged)
    count = kept.count()
    if count:
        facts.write(lake, kept, held)
    for frame in cached:
        frame.unpersist()
    return {**staged, facts.NAME: Staged(count, lake.read(facts.TABLE).count())}


def _dimensions(
    lake: Lake, old: Mapping[str, DataFrame], changed: DataFrame, given_up: DataFrame | None
) -> dict[str, DataFrame]:
    lines = lake.read(ORDER_LINES)
    made = {
        "dim_country": countries.touched(old["dim_country"], lines, changed, given_up),
        "dim_customer": customers.touched(old["dim_customer"], lines, changed, given_up),
        "dim_date": dates.calendar(lines),
        "dim_product": products.touched(old["dim_product"], lines, changed, given_up),
    }
    return {name: frame.cache() for name, frame in made.items()}


def _compared(old: Mapping[str, DataFrame], new: Mapping[str, DataFrame]) -> dict[str, Staged]:
    """What differs between the dimensions before and after: one pass over all of them."""
    counts = reduce(DataFrame.unionAll, [_difference(name, old[name], new[name]) for name in KEYS])
    return {row.name: Staged(row.changed, row.total) for row in counts.collect()}


def _difference(name: str, old: DataFrame, new: DataFrame) -> DataFrame:
    key, columns = KEYS[name], new.columns
    before = old.select(f.col(key).alias("key"), f.struct(*columns).alias("before"))
    after = new.select(f.col(key).alias("key"), f.struct(*columns).alias("after"))
    return before.join(after, "key", "full").agg(
        f.lit(name).alias("name"),
        f.count_if(~f.col("before").eqNullSafe(f.col("after"))).alias("changed"),
        f.count("after").alias("total"),
    )


def _write_dimensions(lake: Lake, new: Mapping[str, DataFrame], staged: Mapping[str, Staged]) -> None:
    for name, frame in new.items():
        if staged[name].rows_changed:
            writer = frame.coalesce(1).writeTo(lake.name(f"sales.{name}"))
            writer.option("distribution-mode", "none").overwrite(f.lit(True))
