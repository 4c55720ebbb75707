"""Order lines as events: which of them count, which articles there are, and whose histories they make.

All of it is SQL; no executor starts a Python for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f
from pyspark.storagelevel import StorageLevel

from spark_jobs.recommendations.errors import Unfit
from spark_jobs.recommendations.order_lines import OrderLines
from spark_jobs.recommendations.ranking.histories import Articles

STOCK_CODE = r"^[0-9]{5}[A-Z]*\z"
"""What an article's code looks like; postage, fees, samples and manual lines have others."""
PARTITION_ROWS = 4_096
MAX_PARTITIONS = 512
_BUCKET, _NUMBERS_A_BUCKET = 1_024, 4_096
_MAX_INT = 2**31 - 1


@dataclass(frozen=True)
class Prepared:
    """What everything is learned from; both frames are kept by Spark once they are read.

    Args:
        histories: a row for each customer: customer, country, number, events; see `OnSpark`.
        baskets: a row for each order with a sale, guests' orders too, in the same columns.
        at: the day after the newest event, in days since 1970-01-01.
        events: that the customers' histories hold.
    """

    articles: Articles
    histories: DataFrame
    baskets: DataFrame
    at: int
    events: int
    customers: int
    orders: int


@dataclass(frozen=True)
class _Extent:
    newest: datetime
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
    events = _events(_counting(read.lines, until)).persist(StorageLevel.MEMORY_AND_DISK)
    extent = _extent(events)
    catalogue = _catalogue(events, read.texts, max_articles).persist(StorageLevel.MEMORY_AND_DISK)
    articles = _articles(catalogue)
    known = events.join(f.broadcast(catalogue.select("stock_code", "article")), "stock_code")
    prepared = Prepared(
        articles,
        _histories(known, extent.customers).persist(StorageLevel.MEMORY_AND_DISK),
        _baskets(known, extent.orders).persist(StorageLevel.MEMORY_AND_DISK),
        (extent.newest.date() - date(1970, 1, 1)).days + 1,
        0,
        0,
        0,
    )
    counted = prepared.histories.agg(f.count("*"), f.sum(f.size("events"))).first()
    orders = prepared.baskets.count()
    events.unpersist()
    catalogue.unpersist()
    assert counted is not None
    return replace(prepared, customers=int(counted[0]), events=int(counted[1] or 0), orders=orders)


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


def _events(lines: DataFrame) -> DataFrame:
    """Lines of one order and article are one event; what came back is another one than what was sold."""
    units = f.greatest(f.lit(-_MAX_INT), f.least(f.lit(_MAX_INT), f.sum("quantity"))).cast("int")
    return lines.groupBy(
        "source", "order_id", "customer_id", "stock_code", (f.col("quantity") > 0).alias("sold")
    ).agg(
        f.min("ordered_at").alias("ordered_at"),
        f.max(f.struct("ordered_at", "country")).alias("newest"),
        units.alias("units"),
    )


def _extent(events: DataFrame) -> _Extent:
    orders = events.groupBy("source", "order_id").agg(f.max("ordered_at").alias("last"))
    ordered = orders.agg(f.max("last").cast("long").alias("newest"), f.count("*").alias("orders")).first()
    customers = events.select("customer_id").distinct().count()
    if ordered is None or ordered.newest is None:
        raise Unfit("no order line can be used: there are no sales of articles")
    return _Extent(datetime.fromtimestamp(ordered.newest, UTC), customers, int(ordered.orders))


def _catalogue(events: DataFrame, texts: DataFrame, max_articles: int) -> DataFrame:
    """stock_code, article (its number), description."""
    sold = events.where("sold").groupBy("stock_code").agg(f.count_distinct("customer_id").alias("buyers"))
    taken = sold.orderBy(f.desc("buyers"), "stock_code").limit(max_articles)
    # A bounded number of rows: one task may put them in order.
    number = (f.row_number().over(Window.orderBy("stock_code")) - 1).alias("article")
    return taken.join(texts, "stock_code", "left").select("stock_code", number, "description")


def _articles(catalogue: DataFrame) -> Articles:
    rows = catalogue.orderBy("article").collect()
    if not rows:
        raise Unfit("no order line can be used: there are only cancellations")
    return Articles(tuple(row.stock_code for row in rows), tuple(row.description or None for row in rows))


def _histories(events: DataFrame, customers: int) -> DataFrame:
    """The newest order says where a customer is; orders are numbered by their first event's time."""
    of_order = Window.partitionBy("customer_id", "source", "order_id")
    in_time = Window.partitionBy("customer_id").orderBy("order_at", "source", "order_id")
    numbered = (
        events.where("customer_id IS NOT NULL")
        .withColumn("order_at", f.min("ordered_at").over(of_order))
        .withColumn("order", f.dense_rank().over(in_time) - 1)
    )
    newest = f.max(f.struct("newest.ordered_at", "source", "order_id", "newest.country")).getField("country")
    whole = numbered.groupBy(f.col("customer_id").alias("customer")).agg(
        newest.alias("country"), _sorted_events(f.col("order")).alias("events")
    )
    return _placed(whole.withColumn("number", _number(customers)), customers)


def _baskets(events: DataFrame, orders: int) -> DataFrame:
    """An order of several customers, which no shop should send, is one basket all the same."""
    key = f.concat_ws("/", "source", "order_id")
    whole = (
        events.where("sold")
        .groupBy(key.alias("customer"), "article")
        .agg(
            f.min("ordered_at").alias("ordered_at"), f.max("newest").alias("newest"), f.sum("units").alias("units")
        )
        .withColumn("units", f.least(f.lit(_MAX_INT), "units").cast("int"))
        .groupBy("customer")
        .agg(f.max("newest").getField("country").alias("country"), _sorted_events(f.lit(0)).alias("events"))
    )
    return _placed(whole.withColumn("number", f.lit(0)), orders)


def _sorted_events(order: Column) -> Column:
    day = f.unix_date(f.to_date("ordered_at"))
    columns = (day.alias("day"), order.cast("int").alias("order"), f.col("article").cast("int").alias("article"), f.col("units"))
    return f.array_sort(f.collect_list(f.struct(*columns)))


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
