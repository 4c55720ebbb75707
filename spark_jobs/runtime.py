"""What every Spark job stands on: a session over the lake, and rows that follow the contracts.

The same code runs on EMR Serverless, which brings Spark, its master, its memory and Iceberg itself, and on one machine,
where the environment names them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import from_json, inline
from pyspark.sql.types import ArrayType, StructType

from spark_jobs import tables
from spark_jobs.options import options
from spark_jobs.settings import SparkSettings


def session(
    name: str,
    settings: SparkSettings,
    own: Mapping[str, str] | None = None,
    *,
    both_compilers: bool = False,
) -> SparkSession:
    """Start Spark, or join what the service has started.

    Args:
        name: of the application, as Spark's own pages show it.
        own: options of this job, beside what `options` says of the lake and of the machine.
        both_compilers: as of `options`.
    """
    builder = SparkSession.builder.appName(name)
    for key, value in {**options(settings, both_compilers=both_compilers), **(own or {})}.items():
        builder = builder.config(key, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel(settings.spark_log_level)
    return made


def schema(contract: str) -> StructType:
    """The columns of a contract's records.

    Args:
        contract: `<name>/<version>`, of one that rests in landing, lake or warehouse.

    Raises:
        FileNotFoundError: it rests nowhere.
    """
    return StructType.fromJson(tables.rendered(contract))


def rows(spark: SparkSession, contract: str, documents: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Rows of a contract, made of documents as the contract writes them; no executor starts a Python for it."""
    columns = schema(contract)
    whole = spark.sql("SELECT :documents AS documents", {"documents": json.dumps(documents)})
    parsed = from_json("documents", ArrayType(columns), {"mode": "FAILFAST"})
    return whole.select(inline(parsed)).select(*columns.names)


def create(spark: SparkSession, table: str, settings: SparkSettings) -> str:
    """Make a table of the lake, and its database, where they are not there yet.

    Args:
        table: logical name, as in `contracts/lake/`.

    Returns:
        its full name, for SQL.
    """
    database, name = tables.place(table, settings)
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {database}")
    for statement in tables.statements(table, name):
        spark.sql(statement)
    return name
