"""Where order lines and the articles' texts come from: the lake, each table at one snapshot, or one file of lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs import tables
from spark_jobs.recommendations.errors import Unfit
from spark_jobs.settings import SparkSettings

ORDER_LINES, DIM_PRODUCT = "sales.order_lines", "sales.dim_product"


@dataclass(frozen=True)
class OrderLines:
    """Lines and texts as they were at one moment.

    Args:
        lines: columns of `order_line/1`, at least source, order_id, kind, customer_id, country, ordered_at, stock_code,
            quantity, unit_price.
        texts: stock_code, once, and description.
        snapshots: by table of the lake, what was read; empty for a file.
    """

    lines: DataFrame
    texts: DataFrame
    snapshots: dict[str, int]


def from_lake(spark: SparkSession, settings: SparkSettings) -> OrderLines:
    """What everybody sees of the lake now; a load that is published meanwhile changes nothing of it.

    Raises:
        Unfit: a table is not there, or never had a row.
    """
    frames, snapshots = {}, {}
    for table in (ORDER_LINES, DIM_PRODUCT):
        _, name = tables.place(table, settings)
        snapshots[table] = _snapshot(spark, table, name)
        frames[table] = spark.read.option("snapshot-id", snapshots[table]).table(name)
    texts = frames[DIM_PRODUCT].select("stock_code", "description")
    return OrderLines(frames[ORDER_LINES], texts, snapshots)


def _snapshot(spark: SparkSession, table: str, name: str) -> int:
    if not spark.catalog.tableExists(name):
        raise Unfit(f"{table}: there is no such table; nothing was ever loaded")
    found = spark.table(f"{name}.refs").where("name = 'main'").select("snapshot_id").collect()
    if not found:
        raise Unfit(f"{table} has no rows")
    return int(found[0].snapshot_id)


def from_file(spark: SparkSession, path: str) -> OrderLines:
    """The lines of one Parquet file, for an evaluation that has no lake.

    An article's text is the one on most of its lines, of several the first by code points.

    Args:
        path: of this machine, or a URL.

    Raises:
        Unfit: it lacks a column.
    """
    url = path if "://" in path else Path(path).resolve().as_uri()
    lines = spark.read.parquet(url)
    missing = _NEEDED - set(lines.columns)
    if missing:
        raise Unfit(f"{path} lacks {', '.join(sorted(missing))}")
    counted = lines.groupBy("stock_code", "description").agg(f.count("*").alias("times"))
    best = f.min_by("description", f.struct(-f.col("times"), "description"))
    texts = counted.where("description IS NOT NULL").groupBy("stock_code").agg(best.alias("description"))
    return OrderLines(lines, texts, {})


_NEEDED = {
    "source",
    "order_id",
    "kind",
    "customer_id",
    "country",
    "ordered_at",
    "stock_code",
    "description",
    "quantity",
    "unit_price",
}
