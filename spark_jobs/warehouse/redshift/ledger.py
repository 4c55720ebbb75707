"""The warehouse's own memory of what was loaded: a row of `warehouse_loads` for each export, written with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.kernel.adapters.warehouse import Ask, Row
from spark_jobs.warehouse.export import TABLES, Export
from spark_jobs.warehouse.redshift.comparing import holds
from spark_jobs.warehouse.redshift.dialects import Dialect

TABLE = "warehouse_loads"


@dataclass(frozen=True, slots=True)
class Load:
    """One export that the warehouse has.

    Args:
        published_at, loaded_at: UTC, `YYYY-MM-DD HH:MM:SS`.
        seconds: that the load took, waiting for another included.
        rows: in the export's files, by table.
    """

    run: str
    published_at: str
    loaded_at: str
    seconds: float
    rows: dict[str, int]


def create() -> str:
    """The statement that makes the ledger where there is none."""
    rows = "".join(f'    "{_rows(table)}" BIGINT NOT NULL,\n' for table in TABLES)
    return (
        f'CREATE TABLE IF NOT EXISTS "{TABLE}" (\n    "run" VARCHAR(64) NOT NULL,\n'
        '    "published_at" TIMESTAMP NOT NULL,\n    "loaded_at" TIMESTAMP NOT NULL,\n'
        f'    "seconds" DOUBLE PRECISION NOT NULL,\n{rows}    PRIMARY KEY ("run")\n)'
    )


def newest_is(run: str | None) -> str:
    """A query that fails unless this is the newest export of the ledger; None for an empty one."""
    return holds(f"COALESCE(MAX(\"run\"), '') = '{run or ''}'", "overtaken", f'"{TABLE}"')


def enter(export: Export, dialect: Dialect) -> str:
    """The statement that adds an export's row."""
    published = datetime.fromisoformat(export.published_at).replace(tzinfo=None).isoformat(sep=" ")
    rows = "".join(f", {export.tables[table].rows}" for table in TABLES)
    return (
        f"INSERT INTO \"{TABLE}\" SELECT '{export.run}', CAST('{published}' AS TIMESTAMP), "
        f"{dialect.now}, {dialect.seconds}{rows}"
    )


def read() -> Ask:
    """The query for all rows, the newest first."""
    when = ", ".join(
        f"TO_CHAR(\"{name}\", 'YYYY-MM-DD HH24:MI:SS')" for name in ("published_at", "loaded_at")
    )
    rows = ", ".join(f'"{_rows(table)}"' for table in TABLES)
    return Ask(f'SELECT "run", {when}, "seconds", {rows} FROM "{TABLE}" ORDER BY "run" DESC')  # noqa: S608


def loads(rows: Sequence[Row]) -> list[Load]:
    """What `read` answered."""
    return [
        Load(
            str(run),
            str(published),
            str(loaded),
            float(seconds or 0),
            dict(zip(TABLES, map(_number, counts), strict=True)),
        )
        for run, published, loaded, seconds, *counts in rows
    ]


def _number(value: object) -> int:
    return int(str(value))


def _rows(table: str) -> str:
    return f"{table}_rows"
