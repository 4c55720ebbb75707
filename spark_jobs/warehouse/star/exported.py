"""Hands a run's rows on to the warehouse: Parquet as `spark_jobs.warehouse.export` lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from contracts import catalog
from spark_jobs.warehouse import digest, export
from spark_jobs.warehouse.export import Export, ExportedTable
from spark_jobs.warehouse.lake import Lake
from spark_jobs.warehouse.star import facts

if TYPE_CHECKING:
    from spark_jobs.warehouse.star.staging import Staged

_OPTIONS = {
    # No marker objects: whoever loads a folder loads all that is in it.
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    # One rename, which S3 does by a copy, instead of two. A half written folder does no harm: see `export`.
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
    "compression": "zstd",
}
_INSTANTS = "spark.sql.parquet.outputTimestampType"


def write(lake: Lake, run: str, name: str, rows: DataFrame) -> DataFrame:
    """Write rows to a folder of the run's export, in the place of what is there.

    Returns:
        the same rows, read from there.
    """
    target = f"s3://{lake.settings.bucket}/{export.prefix(run)}{name}/"
    # As whole numbers of 64 bits: the old form ends in the year 2262, and Redshift reads both.
    lake.spark.conf.set(_INSTANTS, "TIMESTAMP_MICROS")
    rows.write.mode("overwrite").options(**_OPTIONS).parquet(target)
    return lake.spark.read.schema(rows.schema).parquet(target)


def stage_export(lake: Lake, run: str, staged: Mapping[str, Staged], published_at: str) -> Export:
    """Write what a run's export holds beside the facts, which `stage` has written: dimensions and digests.

    Args:
        lake: at the run's branch, staged.
        staged: what `stage` returned.
        published_at: RFC 3339, UTC, for the document.

    Returns:
        the document; it is not written.
    """
    for name in export.TABLES:
        if name != facts.NAME:
            write(lake, run, name, lake.read(f"sales.{name}").coalesce(1))
    write(lake, run, export.DIGESTS, digests(lake).coalesce(1))
    tables = {name: _exported(run, name, staged[name]) for name in export.TABLES}
    return Export(run, published_at, tables)


def digests(lake: Lake) -> DataFrame:
    """The digests of all tables of the star at this branch, in the columns of `export.DIGESTS`."""
    known = catalog.load()
    selects = []
    for name in export.TABLES:
        table = known.warehouse_tables[name]
        fields = known.contract_of(table).struct.fields
        query = digest.query(lake.name(f"sales.{name}"), fields, table.identity, digest.SPARK)
        selects.append(
            f"SELECT '{name}' AS table_name, bucket, rows_count, CAST(first_half AS DECIMAL(38, 0)) AS first_half,"  # noqa: S608
            f" CAST(second_half AS DECIMAL(38, 0)) AS second_half FROM ({query})"
        )
    return lake.spark.sql("\nUNION ALL\n".join(selects))


def _exported(run: str, name: str, staged: Staged) -> ExportedTable:
    whole = name != facts.NAME
    rows = staged.total_rows if whole else staged.rows_changed
    return ExportedTable(f"{export.prefix(run)}{name}/", whole, rows, staged.total_rows)
