"""Order lines as events: which of them count, which articles there are, and whose histories they make.

All of it is SQL; no executor starts a Python for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f
from pyspark.storagelevel import StorageLevel

from spark_jobs.recommendations.errors import Unfit
from spark_jobs.recommendations.order_lines import OrderLines
from spark_jobs.recommendations.ranking.histories import Articles
from spark_jobs.recommendations.training_day import training_day

STOCK_CODE = r"^[0-9]{5}[A-Z]*\z"
"""What an article's code looks like; postage, fees, samples and manual lines have others."""
PARTITION_ROWS = 4_096
MAX_PARTITIONS = 512
_BUCKET, _NUMBERS_A_BUCKET = 1_024, 4_096
_MAX_INT = 2**31 - 1
_ORDER = ("source", "order_id", "customer_id", "country")
_KEPT = StorageLevel.MEMORY_AND_DISK


@dataclass(frozen=True)
class Prepared:
    """What everything is learned from. Executors hold both frames; with one that is lost the job ends.

    Args:
        histories: a row for each customer: customer, country, number, events; see `OnSpark`.
        baskets: a row for each order with a sale, guests' orders too, in the same columns.
        at: the day to train for, in days since 1970-01-01: see `training_day`.
        after: customers by day who ordered on it or later, and do not count.
        events: that the customers' histories hold.
    """

    articles: Articles
    histories: DataFrame
    baskets: DataFrame
    at: int
    after: int
    events: int
    customers: int
    orders: int


def prepare(read: OrderLines, max_articles: int, until: date) -> Prepared:
    """Find the articles, and bring the events of every customer and of every order together.

    Args:
        max_articles: beyond them those with fewest buyers are left out; of two with as many the later by code points.
        until: the first day (UTC) whose lines do not count.

    Raises:
        Unfit: no line counts.
    """
    lines = _counting(read.lines, until)
    articles = _articles(_catalogue(lines, read.texts, max_articles))
    orders = _orders(lines, _numbers(articles, lines.sparkSession)).persist(_KEPT)
    extent = orders.agg(
        f.sum(f.when(f.col("customer_id").isNotNull(), f.size("events"))).alias("events"),
        f.count_distinct("customer_id").alias("customers"),
        f.count("*").alias("orders"),
    ).collect()[0]
    customers = _customers(orders)
    at = training_day(customers)
    # What follows is many small jobs over these rows; each would carry along, and look through, all that made them.
    prepared = Prepared(
        articles,
        _placed(_histories(orders, extent.customers), extent.customers).localCheckpoint(),
        _placed(_baskets(orders), extent.orders).localCheckpoint(),
        at,
        sum(ordered for day, ordered in customers.items() if day >= at),
        extent.events or 0,
        extent.customers,
        extent.orders,
    )
    orders.unpersist()
    return prepared


def tomorrow() -> date:
    """The day after today in UTC: a line that claims to be of the future does not count."""
    return datetime.now(UTC).date() + timedelta(days=1)


def _counting(lines: DataFrame, until: date) -> DataFrame:
    """The lines that count, with the instant in one type whatever the file had."""
    sold = f.expr("kind = 'sale' AND quantity > 0")
    came_back = f.expr("kind IN ('sale', 'cancellation') AND quantity < 0")
    return (
        lines.where(f.col("unit_price") > 0)
        .where(f.col("stock_code").rlike(STOCK_CODE))
        .where(sold | came_back)
        .withColumn("ordered_at", f.col("ordered_at").cast("timestamp"))
        .where(f.col("ordered_at") < f.lit(until.isoformat()).cast("timestamp"))
    )


def _catalogue(lines: DataFrame, texts: DataFrame, max_articles: int) -> DataFrame:
    """stock_code, description."""
    sold = (
        lines.where("quantity > 0").groupBy("stock_code").agg(f.count_distinct("customer_id").alias("buyers"))
    )
    taken = sold.orderBy(f.desc("buyers"), "stock_code").limit(max_articles)
    return taken.join(texts, "stock_code", "left").select("stock_code", "description")


def _articles(catalogue: DataFrame) -> Articles:
    rows = catalogue.orderBy("stock_code").collect()
    if not rows:
        raise Unfit("no order line can be used: there are no sales of articles")
    return Articles(tuple(row.stock_code for row in rows), tuple(row.description or None for row in rows))


def _numbers(articles: Articles, spark: SparkSession) -> DataFrame:
    """stock_code, article (its number)."""
    columns = {"stock_code": pa.array(articles.codes), "article": pa.array(range(len(articles)), pa.int32())}
    return spark.createDataFrame(pa.table(columns))


def _orders(lines: DataFrame, numbers: DataFrame) -> DataFrame:
    """A row for each order with its events: what was sold of an article, and apart from it what came back.

    An order is one of one customer and one country; a sender that mixes them under one number has sent several. All of
    an order's lines are brought together once, and what is added up has a fixed size: Spark would sort them else.
    """
    units = f.greatest(f.lit(-_MAX_INT), f.least(f.lit(_MAX_INT), f.sum("quantity"))).cast("int")
    day = f.unix_date(f.to_date("ordered_at"))
    event = f.struct(day.alias("day"), f.lit(0).alias("order"), "article", "units")
    return (
        lines.join(f.broadcast(numbers), "stock_code")
        .select(*_ORDER, "article", "ordered_at", "quantity")
        .repartition("source", "order_id")
        .groupBy(*_ORDER, "article", f.col("quantity") > 0)
        .agg(f.min("ordered_at").alias("ordered_at"), units.alias("units"))
        .groupBy(*_ORDER)
        .agg(
            f.min("ordered_at").alias("first"),
            f.max("ordered_at").alias("last"),
            f.array_sort(f.collect_list(event)).alias("events"),
        )
    )


def _customers(orders: DataFrame) -> dict[int, int]:
    """How many customers ordered on each day; each guest's order counts as one more."""
    who = f.coalesce("customer_id", f.concat_ws("/", "source", "order_id"))
    day = f.unix_date(f.to_date("last"))
    counted = orders.groupBy(day.alias("day")).agg(f.count_distinct(who).alias("ordered")).collect()
    return {row.day: row.ordered for row in counted}


def _histories(orders: DataFrame, customers: int) -> DataFrame:
    """The newest order says where a customer is; orders are numbered by their first event's time."""
    in_time = Window.partitionBy("customer_id").orderBy("first", "source", "order_id", "country")
    numbered = orders.where("customer_id IS NOT NULL").withColumn("number", f.row_number().over(in_time) - 1)
    placed = f.expr(
        "transform(events, e -> struct(e.day AS day, number AS order, e.article AS article, e.units AS units))"
    )
    whole = numbered.groupBy(f.col("customer_id").alias("customer")).agg(
        f.max(f.struct("last", "source", "order_id", "country")).getField("country").alias("country"),
        f.array_sort(f.flatten(f.collect_list(placed))).alias("events"),
    )
    return whole.withColumn("number", _number(customers))


def _baskets(orders: DataFrame) -> DataFrame:
    return orders.where("exists(events, e -> e.units > 0)").select(
        f.concat_ws("/", "source", "order_id").alias("customer"),
        "country",
        f.lit(0).alias("number"),
        f.expr("filter(events, e -> e.units > 0)").alias("events"),
    )


def _number(customers: int) -> Column:
    """A number for each customer that fits into 32 bits, which is what ALS takes; the same however rows are placed."""
    buckets = max(1, math.ceil(customers / _BUCKET))
    bucket = f.pmod(f.xxhash64("customer"), f.lit(buckets)).cast("int")
    place = f.row_number().over(Window.partitionBy(bucket).orderBy("customer")) - 1
    return bucket * _NUMBERS_A_BUCKET + place


def _placed(rows: DataFrame, count: int) -> DataFrame:
    """Rows in places that are a function of the rows alone, so that sums over blocks come out alike every time."""
    return (
        rows.select("customer", "country", "number", "events")
        .repartition(partitions_for(count), "customer")
        .sortWithinPartitions("customer")
    )


def partitions_for(rows: int) -> int:
    """How many partitions so many rows lie in: a function of the data, never of the machine."""
    return max(2, min(MAX_PARTITIONS, math.ceil(rows / PARTITION_ROWS)))
