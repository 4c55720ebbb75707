"""Reads landing objects, each once."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs import runtime
from spark_jobs.warehouse import arrivals
from spark_jobs.warehouse.arrivals import Arrival, Content
from spark_jobs.warehouse.errors import Unfit
from spark_jobs.warehouse.lake import Lake

CONTRACT = "order_line/1"
OBJECT = "object_path"
"""Column of a row's object, beside those of the contract."""


def read(lake: Lake, objects: Sequence[Arrival]) -> tuple[DataFrame, dict[str, Content]]:
    """Rows of objects, kept by Spark until they are given back (`unpersist`), and what each object holds.

    Columns are found by name: one that the contract does not name is passed over (a newer writer's fields are in
    `unknown` as well), one that an object does not have is null.

    Args:
        objects: at least one.

    Raises:
        Unfit: an object cannot be read, or has rows that cannot be loaded; the message names it.
    """
    paths = {_path(lake, one.key): one.key for one in objects}
    # By folder and filter: of paths one by one Spark would ask for each whether it is there.
    folders = sorted({_path(lake, one.folder) for one in objects})
    schema = runtime.schema(CONTRACT)
    reader = lake.spark.read.schema(schema).option("recursiveFileLookup", "true")
    path = f.col("_metadata.file_path")
    rows = reader.parquet(*folders).where(path.isin(*paths)).select("*", path.alias(OBJECT))
    rows.persist(StorageLevel.MEMORY_AND_DISK)
    required = [field.name for field in schema.fields if not field.nullable]
    nulls = [f.count_if(f.col(name).isNull()).alias(name) for name in required]
    found = {}
    for row in rows.groupBy(OBJECT).agg(f.count("*").alias(_LINES), *nulls).collect():
        found[paths[row[OBJECT]]] = Content(row[_LINES], {name: row[name] for name in required if row[name]})
    faults = arrivals.unfit(objects, found)
    if faults:
        raise Unfit(faults)
    return rows, found


def position() -> Column:
    """Where a row's record stands in the stream; the smallest wins."""
    return f.struct("sequence_number", "sub_sequence")


def _path(lake: Lake, key: str) -> str:
    return f"s3://{lake.settings.bucket}/{key}"


_LINES = "lines_of_object"
