"""Articles, each with one text of the many that its lines give.

The text that stands on the most sales is taken; of several the one sold last; then the one on the most lines of any
kind; then the latest; then the first by code points. A sale here is a line of kind `sale` with quantity and price above
zero: other lines carry remarks of the warehouse ("damaged", "?") in the article's place. Texts count without white
space around them; an article whose lines have no text has none.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from spark_jobs.warehouse.star import keys

COLUMNS = ("product_key", "stock_code", "description")
_WHITE_SPACE = " \t\n\r\u00a0"
_SALE = "kind = 'sale' AND quantity > 0 AND unit_price > 0"


def described(lines: DataFrame) -> DataFrame:
    """The rows of all articles of these lines.

    Args:
        lines: all lines of every article that is meant; of `order_lines` at least stock_code, description, kind,
            quantity, unit_price, ordered_at.
    """
    text = f.nullif(f.btrim("description", f.lit(_WHITE_SPACE)), f.lit(""))
    at = f.unix_millis("ordered_at")
    texts = lines.groupBy("stock_code", text.alias("text")).agg(
        f.count_if(f.expr(_SALE)).alias("sales"),
        f.max(f.when(f.expr(_SALE), at)).alias("last_sale"),
        f.count("*").alias("lines"),
        f.max(at).alias("last"),
    )
    # The least of these is the text that is chosen: an absent one comes last, more and later come first.
    order = f.struct(
        f.col("text").isNull().alias("absent"),
        (-f.col("sales")).alias("sales"),
        (-f.col("last_sale")).alias("last_sale"),
        (-f.col("lines")).alias("lines"),
        (-f.col("last")).alias("last"),
        f.col("text"),
    )
    chosen = texts.groupBy("stock_code").agg(f.min(order).alias("chosen"))
    return chosen.select(
        keys.product_key(f.col("stock_code")).alias("product_key"),
        "stock_code",
        f.col("chosen.text").alias("description"),
    )


def touched(old: DataFrame, lines: DataFrame, changed: DataFrame, given_up: DataFrame | None) -> DataFrame:
    """The dimension after lines have changed: articles without a changed line keep their rows.

    Args:
        old, lines, changed, given_up: as of `customers.touched`.
    """
    codes = changed.select("stock_code")
    if given_up is not None:
        codes = codes.unionByName(old.join(given_up, "product_key", "left_semi").select("stock_code"))
    codes = codes.distinct()
    columns = ("stock_code", "description", "kind", "quantity", "unit_price", "ordered_at")
    theirs = lines.select(*columns).join(codes, "stock_code", "left_semi")
    others = old.join(codes, "stock_code", "left_anti")
    return others.select(*COLUMNS).unionByName(described(theirs))
