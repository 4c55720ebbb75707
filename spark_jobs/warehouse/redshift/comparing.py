"""Whether the warehouse has what an export says, in the warehouse's own SQL. Pure.

A batch of statements cannot look at a result and choose. So what has to hold is written as a query that fails where it
does not: a text that is no number, taken for a number.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.kernel.adapters.warehouse import Ask, Copy, Statement
from spark_jobs.warehouse import digest, export
from spark_jobs.warehouse.redshift import star
from spark_jobs.warehouse.redshift.dialects import Dialect
from spark_jobs.warehouse.redshift.star import StarTable

EXPORTED, DIFFERING = "exported_digests", "differing_buckets"
MOST_ROWS = 10
"""Of a table that are named where it differs."""
_COLUMNS = "bucket, rows_count, first_half, second_half"

Steps = Iterator[tuple[str, Statement]]


def holds(condition: str, told: str, rows: str) -> str:
    """A query that fails unless a condition on some rows holds.

    Args:
        condition: over all of the rows, such as `COUNT(*) = 0`.
        told: what is wrong otherwise; PostgreSQL repeats it, Redshift its first letter.
        rows: what stands behind FROM.
    """
    return f"SELECT CAST(CASE WHEN {condition} THEN '1' ELSE '{told}' END AS INTEGER)\nFROM {rows}"


def counted(sources: dict[str, int]) -> str:
    """A query that fails unless every table has as many rows as said."""
    counts = " UNION ALL\n  ".join(
        f'SELECT COUNT(*) AS found, CAST({said} AS BIGINT) AS said FROM "{table}"'  # noqa: S608
        for table, said in sources.items()
    )
    agrees = "SUM(CASE WHEN found = said THEN 0 ELSE 1 END) = 0"
    return holds(agrees, "other rows than said", f"(\n  {counts}) AS counted")


def digests(run: str, bucket: str) -> Steps:
    """What brings an export's digests into a temporary table."""
    yield (
        "digests",
        (
            f'CREATE TEMP TABLE "{EXPORTED}" ("table_name" VARCHAR(128), "bucket" VARCHAR(8), "rows_count" BIGINT, '
            '"first_half" DECIMAL(38, 0), "second_half" DECIMAL(38, 0))'
        ),
    )
    yield "copy digests", Copy(EXPORTED, bucket, digests_prefix(run))


def digests_prefix(run: str) -> str:
    """Of the keys of an export's digests."""
    return f"{export.prefix(run)}{export.DIGESTS}/"


def equal(dialect: Dialect) -> Steps:
    """A query a table that fails where a bucket's digest is not the exported one."""
    for table in star.tables().values():
        yield (
            f"equal {table.name}",
            holds("COUNT(*) = 0", "digest differs", f"({_buckets(table, dialect)}) AS found"),
        )


def told(dialect: Dialect) -> Steps:
    """What says how the tables differ: first how many buckets of each table, then some rows of them.

    Rows: (table, buckets), then (table, identity). Rows that the warehouse lacks cannot be named by it.
    """
    tables = star.tables().values()
    union = "\nUNION ALL\n".join(
        f"SELECT '{table.name}' AS table_name, bucket FROM ({_buckets(table, dialect)}) AS found"  # noqa: S608
        for table in tables
    )
    yield "compare", f'CREATE TEMP TABLE "{DIFFERING}" AS\n{union}'
    yield (
        "how many",
        Ask(
            f'SELECT table_name, COUNT(*) FROM "{DIFFERING}" GROUP BY table_name ORDER BY table_name'  # noqa: S608
        ),
    )
    yield "which", Ask("\nUNION ALL\n".join(_rows(table, dialect) for table in tables))


def _buckets(table: StarTable, dialect: Dialect) -> str:
    """The buckets that are not the same on both sides: one side's row has no equal on the other."""
    ours = digest.query(f'"{table.name}"', table.fields, table.identity, dialect.digest)
    return (
        f"SELECT DISTINCT bucket FROM (\n  SELECT {_COLUMNS}, 1 AS side FROM (\n{ours}) AS ours\n"  # noqa: S608
        f"  UNION ALL SELECT {_COLUMNS}, -1 AS side FROM \"{EXPORTED}\" WHERE table_name = '{table.name}') AS sides\n"
        f"GROUP BY {_COLUMNS} HAVING SUM(side) <> 0 OR COUNT(*) <> 2"
    )


def _rows(table: StarTable, dialect: Dialect) -> str:
    bucket = digest.bucket(table.fields, table.identity, dialect.digest)
    return (
        f"(SELECT '{table.name}' AS table_name, row_key FROM (\n"  # noqa: S608
        f'  SELECT {table.key_text()} AS row_key, {bucket} AS bucket FROM "{table.name}") AS keyed\n'
        f"  WHERE bucket IN (SELECT bucket FROM \"{DIFFERING}\" WHERE table_name = '{table.name}')\n"
        f"  ORDER BY row_key LIMIT {MOST_ROWS})"
    )
