"""Brings landed lines into `order_lines`: one row an identity, the one with the smallest position in the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as f

from spark_jobs import runtime
from spark_jobs.warehouse import months
from spark_jobs.warehouse.lake import ORDER_LINES, Lake
from spark_jobs.warehouse.landing import CONTRACT, position

IDENTITY = ("source", "order_id", "line_id")
CONTENT = (
    "kind",
    "customer_id",
    "country",
    "currency",
    "ordered_at",
    "stock_code",
    "description",
    "quantity",
    "unit_price",
)
"""What a line says; the rest tells how it came. Two lines of one identity and other content are a conflict."""
_MOST_ORDERS = 1_000
"""Orders that a look-up names one by one, so that files without them are passed over."""
_FEW_LINES = 50_000
_KNOWN = (*IDENTITY, "sequence_number", "sub_sequence", "ordered_at", "quantity")
_DISTRIBUTION = "spark.sql.iceberg.distribution-mode"
_WAS = "was_"
_OLD = ("ordered_at", "quantity", "amount")


@dataclass(frozen=True)
class Changes:
    """What a run changes in `order_lines`.

    Args:
        rows: new lines and those that take another's place, in the columns of the table; kept by Spark.
        months: numbers (see `months`) of those that `rows` and the rows in whose place they come belong to.
        quantity, amount: by how much the sums over the table grow.
    """

    rows: DataFrame
    new: int
    replaced: int
    months: tuple[int, ...]
    quantity: int
    amount: Decimal

    def __bool__(self) -> bool:
        return self.new + self.replaced > 0


def amount() -> Column:
    """Quantity times price, exact."""
    return f.col("quantity").cast("decimal(10,0)") * f.col("unit_price")


def content() -> Column:
    """64 bits of what a line says; null and an empty text differ."""
    # xxhash64 leaves nulls out, so that ("a", null) would be (null, "a").
    return f.xxhash64(*(value for name in CONTENT for value in (f.col(name), f.col(name).isNull())))


def known(lake: Lake, snapshot: int, landed: DataFrame, lines: int) -> DataFrame:
    """The rows of `order_lines` whose identity has landed (again), with what is needed to decide; kept by Spark.

    The whole table is looked at, in few columns, for a line may have another time than it had: no bounds by the
    months of what landed would find it.

    Args:
        snapshot: the table before the run. Named, for Spark reads anew what it keeps once the table is written to.
        lines: rows of `landed`.
    """
    table = lake.spark.read.option("snapshot-id", snapshot).table(lake.at(None).name(ORDER_LINES))
    orders = _orders(landed) if lines <= _FEW_LINES else None
    if orders is not None:
        table = table.where(f.col("order_id").isin(orders))
    table = table.select(*_KNOWN, amount().alias("amount"), content().alias("content"))
    found = table.join(landed.select(*IDENTITY), list(IDENTITY), "left_semi")
    return found.persist(StorageLevel.MEMORY_AND_DISK)


def nothing_known(lake: Lake) -> DataFrame:
    """As `known`, of a table without rows."""
    types = {field.name: field.dataType.simpleString() for field in runtime.schema(CONTRACT).fields}
    columns = {name: types[name] for name in _KNOWN} | {"amount": "decimal(29,4)", "content": "bigint"}
    return lake.spark.range(0).select(
        *(f.lit(None).cast(type_).alias(name) for name, type_ in columns.items())
    )


def changes(landed: DataFrame, found: DataFrame) -> Changes:
    """Decide which landed rows the table gets.

    Args:
        found: what `known` or `nothing_known` returned.
    """
    by_position = Window.partitionBy(*IDENTITY).orderBy("sequence_number", "sub_sequence")
    first = landed.withColumn("place", f.row_number().over(by_position)).where("place = 1")
    was = [f.col(name).alias(_WAS + name) for name in _OLD]
    before = found.select(*IDENTITY, position().alias(f"{_WAS}position"), *was)
    decided = first.join(before, list(IDENTITY), "left").where(
        f.col(f"{_WAS}position").isNull() | (position() < f.col(f"{_WAS}position"))
    )
    names = runtime.schema(CONTRACT).names
    kept = decided.select(*names, *(_WAS + name for name in ("position", *_OLD)))
    kept.persist(StorageLevel.MEMORY_AND_DISK)
    told = _told(kept)
    return Changes(
        rows=kept.select(*names),
        new=told.new,
        replaced=told.replaced,
        months=tuple(sorted({*told.months, *told.old_months})),
        quantity=told.quantity or 0,
        amount=told.amount or Decimal(0),
    )


def merge(lake: Lake, changed: Changes) -> None:
    """Write the changes to the branch; files of other months are neither scanned nor written.

    Lines that are new alone are appended. A file is written anew only where one of its rows gives way.
    """
    view = "warehouse_changes"
    changed.rows.createOrReplaceTempView(view)
    # By partition: by ranges of the sort order all rows would be looked at once more before they are written.
    lake.spark.conf.set(_DISTRIBUTION, "hash")
    try:
        lake.spark.sql(statement(lake.name(ORDER_LINES), view, changed.months, changed.replaced > 0))
    finally:
        lake.spark.conf.unset(_DISTRIBUTION)
        lake.spark.catalog.dropTempView(view)


def statement(table: str, source: str, of_months: Sequence[int], replaces: bool) -> str:
    """The MERGE: the months as literal bounds, so that Iceberg plans their files alone.

    Args:
        replaces: whether a row that is there may give way.
    """
    same = " AND ".join(f"t.{name} = s.{name}" for name in IDENTITY)
    earlier = "(s.sequence_number, s.sub_sequence) < (t.sequence_number, t.sub_sequence)"
    update = f"WHEN MATCHED AND {earlier} THEN UPDATE SET *\n" if replaces else ""
    return (
        f"MERGE INTO {table} AS t USING {source} AS s\n"
        f"ON {same} AND {months.condition('t.ordered_at', of_months)}\n"
        f"{update}WHEN NOT MATCHED THEN INSERT *"
    )


def _orders(landed: DataFrame) -> list[str] | None:
    """Numbers of the orders that landed; None where they are too many to be named."""
    rows = landed.select("order_id").distinct().limit(_MOST_ORDERS + 1).collect()
    return None if len(rows) > _MOST_ORDERS else [row.order_id for row in rows]


def _told(decided: DataFrame) -> Row:
    is_new = f.col(f"{_WAS}position").isNull()
    zero = f.lit(0).cast("decimal(38,4)")
    return decided.agg(
        f.count_if(is_new).alias("new"),
        f.count_if(~is_new).alias("replaced"),
        f.collect_set(f.expr(months.number_of("ordered_at"))).alias("months"),
        f.collect_set(f.expr(months.number_of(f"{_WAS}ordered_at"))).alias("old_months"),
        f.sum(f.col("quantity") - f.coalesce(f.col(f"{_WAS}quantity"), f.lit(0))).alias("quantity"),
        f.sum(amount() - f.coalesce(f.col(f"{_WAS}amount"), zero)).alias("amount"),
    ).collect()[0]
