"""The warehouse's tables, and the statements that bring one of them from an export. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from contracts import catalog
from contracts.model import Field
from services.kernel.adapters.warehouse import Copy, Statement
from spark_jobs.warehouse import export
from spark_jobs.warehouse.export import ExportedTable
from spark_jobs.warehouse.redshift.dialects import Dialect

GENERATED = catalog.ROOT / "generated"


@dataclass(frozen=True)
class StarTable:
    """One table.

    Args:
        fields: its columns, in order.
        identity: the columns that no two rows share.
    """

    name: str
    fields: tuple[Field, ...]
    identity: tuple[str, ...]

    @property
    def staged(self) -> str:
        """Name of the temporary table that an export's rows are copied into."""
        return f"staged_{self.name}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns, in order."""
        return tuple(field.name for field in self.fields)

    def key_text(self) -> str:
        """The expression that shows a row's identity to people."""
        return " || ' ' || ".join(f'CAST("{name}" AS VARCHAR(1280))' for name in self.identity)


@cache
def tables() -> dict[str, StarTable]:
    """All of the star's, by name, dimensions first."""
    found = catalog.load()
    places = {name: found.warehouse_tables[name] for name in export.TABLES}
    return {
        name: StarTable(name, found.contract_of(place).struct.fields, place.identity)
        for name, place in places.items()
    }


def create(table: str, dialect: Dialect) -> str:
    """The statement that makes a table where there is none."""
    text = (GENERATED / dialect.ddl / f"{table}.sql").read_text(encoding="utf-8")
    return text.rstrip().removesuffix(";")


def staging(table: StarTable, exported: ExportedTable, bucket: str) -> Iterator[tuple[str, Statement]]:
    """What copies an export's rows beside the table: what each statement is for, and the statement."""
    yield f"stage {table.name}", f'CREATE TEMP TABLE "{table.staged}" (LIKE "{table.name}")'
    if exported.rows:  # of a prefix without objects Redshift makes an error
        yield f"copy {table.name}", Copy(table.staged, bucket, exported.prefix)


def merging(table: StarTable, exported: ExportedTable) -> Iterator[tuple[str, Statement]]:
    """What makes the table as the export has it, from its staged rows.

    Rows that the table has already are taken out first: an update writes a row anew, and Redshift's MERGE cannot be
    told to leave one alone.
    """
    if exported.whole:
        yield (
            f"delete {table.name}",
            (
                f'DELETE FROM "{table.name}" WHERE NOT EXISTS (\n'  # noqa: S608 - names of contracts
                f'  SELECT 1 FROM "{table.staged}" WHERE {_same(table, table.identity)})'
            ),
        )
    yield (
        f"unchanged {table.name}",
        (
            f'DELETE FROM "{table.staged}" USING "{table.name}"\nWHERE '  # noqa: S608 - names of contracts
            f"{_same(table, table.identity)}\n  AND {_alike(table)}"
        ),
    )
    yield f"merge {table.name}", _merge(table)


def _merge(table: StarTable) -> str:
    names = ", ".join(f'"{name}"' for name in table.columns)
    values = ", ".join(f'"{table.staged}"."{name}"' for name in table.columns)
    changed = ", ".join(f'"{name}" = "{table.staged}"."{name}"' for name in _others(table))
    return (
        f'MERGE INTO "{table.name}" USING "{table.staged}" ON {_same(table, table.identity)}\n'  # noqa: S608 - names of contracts
        f"WHEN MATCHED THEN UPDATE SET {changed}\n"
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def _same(table: StarTable, columns: tuple[str, ...]) -> str:
    return " AND ".join(f'"{table.name}"."{name}" = "{table.staged}"."{name}"' for name in columns)


def _alike(table: StarTable) -> str:
    """All other columns are equal, or both null: Redshift has no IS NOT DISTINCT FROM."""
    always = {field.name for field in table.fields if field.always}
    terms = []
    for name in _others(table):
        ours, theirs = f'"{table.name}"."{name}"', f'"{table.staged}"."{name}"'
        equal = f"{ours} = {theirs}"
        terms.append(equal if name in always else f"({equal} OR ({ours} IS NULL AND {theirs} IS NULL))")
    return " AND ".join(terms)


def _others(table: StarTable) -> list[str]:
    return [name for name in table.columns if name not in table.identity]
