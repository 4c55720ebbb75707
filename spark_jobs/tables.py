"""Tables of the lake: their statements, made of what the contracts render. Pure: needs no Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts import catalog
from spark_jobs.options import CATALOG
from spark_jobs.settings import SparkSettings

GENERATED = Path(catalog.__file__).parent / "generated" / "spark"
_PROPERTIES = {
    "format-version": "2",  # what Athena, Redshift and DuckDB read alike
    "write.parquet.compression-codec": "zstd",
    # Readers are many and loads few: a changed file is written anew, and no reader has to apply deletes.
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
}


def place(table: str, settings: SparkSettings) -> tuple[str, str]:
    """The full names, for SQL, of a lake table's database and of the table itself.

    Args:
        table: logical name, as in `contracts/lake/`.
    """
    namespace, _, name = table.partition(".")
    database = f"{CATALOG}.`{settings.database(namespace)}`"
    return database, f"{database}.`{name}`"


def statements(table: str, name: str) -> Iterator[str]:
    """What makes a table, in order; harmless where it is there.

    Args:
        table: logical name, as in `contracts/lake/`.
        name: full name of the table to make.
    """
    described = rendered(table)
    columns = ",\n  ".join(described["columns"])
    partitioned = f"\nPARTITIONED BY ({described['partitioned_by']})" if described["partitioned_by"] else ""
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in _PROPERTIES.items())
    yield (
        f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n) USING iceberg{partitioned}\n"
        f"TBLPROPERTIES ({properties})"
    )
    if described["sorted_by"]:
        yield f"ALTER TABLE {name} WRITE ORDERED BY {', '.join(described['sorted_by'])}"


def rendered(name: str) -> dict[str, Any]:
    """What the contracts render for Spark.

    Args:
        name: of a lake table, or of a contract with its version.
    """
    return dict(json.loads((GENERATED / f"{name}.json").read_text(encoding="utf-8")))
