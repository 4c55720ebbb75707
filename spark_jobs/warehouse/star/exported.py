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


def stage_export(
    lake: Lake, run: str, staged: Mapping[str, Staged], published_at: str, after: str | None
) -> Export:
    """Write what a run's export holds beside the facts, which `stage` has written: dimensions and digests.

    Args:
        lake: at the run's branch, staged.
        staged: what `stage` returned.
        published_at: RFC 3339, UTC, for the document.
        after: the run of the export before this one; None where there is none.

    Returns:
        the document; it is not written.
    """
    _write_what_is_small(lake, run)
    tables = {
        name: _exported(run, name, name != facts.NAME, staged[name].rows_changed, staged[name].total_rows)
        for name in export.TABLES
    }
    return Export(run, published_at, tables, after)


def stage_whole_export(lake: Lake, run: str, published_at: str) -> Export:
    """Write an export of all rows, for a warehouse that lacks earlier ones.

    Args:
        lake: as everybody sees it.
        run, published_at: as of `stage_export`.

    Returns:
        the document; it is not written.
    """
    write(lake, run, facts.NAME, lake.read(facts.TABLE))
    _write_what_is_small(lake, run)
    counts = {name: lake.read(f"sales.{name}").count() for name in export.TABLES}
    return Export(
        run, published_at, {name: _exported(run, name, True, count, count) for name, count in counts.items()}
    )


def _write_what_is_small(lake: Lake, run: str) -> None:
    for name in export.TABLES:
        if name != facts.NAME:
            write(lake, run, name, lake.read(f"sales.{name}").coalesce(1))
    write(lake, run, export.DIGESTS, digests(lake).coalesce(1))


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


def _exported(run: str, name: str, whole: bool, changed: int, total: int) -> ExportedTable:
    return ExportedTable(f"{export.prefix(run)}{name}/", whole, total if whole else changed, total)
