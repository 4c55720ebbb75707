"""Versions of one small lake, trained in one session: again, in other pieces, and with Blocks of Spark by themselves.

Run by the Python that holds Spark: `recommendations.py <folder>`; the folder holds `order_lines.json` and
`dim_product.json`, rows of order_line/1 and dim_product/1.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from services.kernel.core import settings
from spark_jobs import runtime
from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.recommendations import errors, events, on_spark, order_lines
from spark_jobs.recommendations.als import ItemFactors
from spark_jobs.recommendations.on_spark import OnSpark
from spark_jobs.recommendations.ranking.histories import Histories, InProcess
from spark_jobs.recommendations.release.manifest import PREFIX
from spark_jobs.recommendations.settings import RecommendationSettings
from spark_jobs.recommendations.train import train
from spark_jobs.recommendations.versions import SCHEMA


def fill(spark: Any, found: RecommendationSettings, folder: Path) -> None:
    """The lake's two tables."""
    for table, contract in (
        (order_lines.ORDER_LINES, "order_line/1"),
        (order_lines.DIM_PRODUCT, "dim_product/1"),
    ):
        documents = json.loads((folder / f"{table.partition('.')[2]}.json").read_text(encoding="utf-8"))
        name = runtime.create(spark, table, found)
        runtime.rows(spark, contract, documents).writeTo(name).append()


def arrays(histories: Histories) -> list[Any]:
    """A block as JSON."""
    fields = (histories.starts, histories.article, histories.day, histories.order, histories.units)
    return [histories.customers, histories.countries, *(field.tolist() for field in fields)]


def blocks(prepared: events.Prepared) -> dict[str, Any]:
    """The same sums and values by Spark in 2 and in 20 partitions, and in this process; ALS twice."""
    few = OnSpark(prepared.histories)
    many = OnSpark(
        prepared.histories.repartition(20, "customer").sortWithinPartitions("customer").localCheckpoint()
    )
    n = len(prepared.articles)

    def sold(block: Histories) -> Any:
        return np.bincount(block.article, weights=block.units, minlength=n)

    here = InProcess(list(few.map(lambda block: block)))
    factors = [ItemFactors(few, n, 4, 3, 1)(prepared.at).values]
    few.spark.conf.set("spark.sql.shuffle.partitions", "3")
    factors.append(ItemFactors(few, n, 4, 3, 1)(prepared.at).values)
    empty = OnSpark(prepared.histories.where("false"))
    try:
        empty.sum(sold)
    except ValueError as error:
        refused = str(error)
    return {
        "sums": [one.sum(sold).tolist() for one in (here, few, many)],
        "customers": [sorted(chain.from_iterable(one.map(_customers))) for one in (here, few, many)],
        "articles": prepared.articles.codes,
        "histories": [arrays(block) for block in few.map(lambda block: block)],
        "baskets": sum(len(block) for block in OnSpark(prepared.baskets).map(lambda block: block)),
        "factors": [one.tolist() for one in factors],
        "of_nothing": refused,
    }


def _customers(block: Histories) -> tuple[str, ...]:
    return block.customers


def main(folder: Path) -> None:
    """Do it, and write what came of it."""
    found = replace(settings.load(RecommendationSettings), als_rank=4, als_iterations=3)
    spark = runtime.session("recommendations", found, on_spark.OPTIONS)
    objects, progress = Objects(found), Progress()
    fill(spark, found, folder)
    read = order_lines.from_lake(spark, found)
    result: dict[str, Any] = {"first": train(read, found, objects, progress)}
    version = result["first"]["version"]
    result["manifest"] = json.loads(objects.get(f"{PREFIX}{version}/manifest.json") or "")
    result["keys"] = [one.key for one in objects.list(f"{PREFIX}{version}/")]
    rows = spark.read.schema(SCHEMA).parquet(f"s3://{found.bucket}/{PREFIX}{version}/lists/").collect()
    result["records"] = {row.subject: json.loads(row.body) for row in rows}

    spark.conf.set("spark.sql.shuffle.partitions", "7")
    # Not only in other pieces: in Spark's own processes, where the first one was reckoned with in this one.
    far = replace(found, near_rows=0)
    result["again"] = train(order_lines.from_lake(spark, found), far, objects, progress)
    prepared = events.prepare(read, 10, date(2011, 6, 1))
    result["fewer"] = [len(prepared.articles), prepared.at]
    result |= blocks(events.prepare(read, found.max_articles, events.tomorrow()))
    try:
        order_lines.from_lake(spark, replace(found, namespace="elsewhere"))
    except errors.Unfit as error:
        result["empty"] = [errors.exit_code(error), str(error)]
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
