"""For the warehouse: the CREATE TABLE of each of its tables, for Amazon Redshift and for PostgreSQL.

PostgreSQL stands in for Redshift on one machine: the same columns and types, without encodings, distribution and sort
keys. Redshift knows the primary key as a promise that it does not check; the load keeps it, and PostgreSQL checks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contracts.catalog import Catalog
from contracts.lakehouse import WarehouseTable
from contracts.model import (
    Boolean,
    Date,
    Decimal,
    Double,
    Field,
    Int32,
    Int64,
    String,
    Timestamp,
    Type,
)

REDSHIFT, POSTGRESQL = "redshift", "postgresql"
MAX_VARCHAR_BYTES = 65_535
"""Source: Amazon Redshift's VARCHAR(n) holds at most 65,535 bytes, and n counts bytes."""
_BYTES_OF_A_CHARACTER = 4
_SCALARS: Mapping[type[Type], tuple[str, str]] = {
    Int32: ("INTEGER", "az64"),
    Int64: ("BIGINT", "az64"),
    Double: ("DOUBLE PRECISION", "zstd"),
    Boolean: ("BOOLEAN", "zstd"),
    Date: ("DATE", "az64"),
    Timestamp: ("TIMESTAMP", "az64"),
}
"""The SQL type, and the encoding. A TIMESTAMP has no zone: here it is UTC. COPY of Parquet fills no other."""


def render(catalog: Catalog) -> Mapping[str, str]:
    """Write two files a table: their paths below `generated/`, and their texts."""
    texts = {}
    for name, table in catalog.warehouse_tables.items():
        fields = catalog.contract_of(table).struct.fields
        texts[f"{REDSHIFT}/{name}.sql"] = _create(
            table, [_encoded(one, table) for one in fields], _lying(table)
        )
        texts[f"{POSTGRESQL}/{name}.sql"] = _create(table, [_column(one) for one in fields], ())
    return texts


def _create(table: WarehouseTable, columns: list[str], lying: Iterable[str]) -> str:
    rows = ",\n".join(f"    {row}" for row in [*columns, f"PRIMARY KEY ({_names(table.identity)})"])
    return (
        f'CREATE TABLE IF NOT EXISTS "{table.name}" (\n{rows}\n)'
        + "".join(f"\n{one}" for one in lying)
        + ";\n"
    )


def _lying(table: WarehouseTable) -> Iterator[str]:
    yield f"DISTSTYLE {table.dist_style.upper()}"
    if table.dist_key:
        yield f'DISTKEY ("{table.dist_key}")'
    if table.sort_keys:
        yield f"COMPOUND SORTKEY ({_names(table.sort_keys)})"


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _column(field: Field) -> str:
    return f'"{field.name}" {sql_type(field.type)}{" NOT NULL" if field.always else ""}'


def _encoded(field: Field, table: WarehouseTable) -> str:
    # Source: Redshift's advice for a first sort key, whose blocks are skipped by its bounds: do not compress it.
    encoding = "raw" if field.name in table.sort_keys[:1] else _encoding(field.type)
    return f'"{field.name}" {sql_type(field.type)} ENCODE {encoding}{" NOT NULL" if field.always else ""}'


def sql_type(type_: Type) -> str:
    """The SQL type of a value. A text longer than Redshift holds is cut by nobody: its load fails."""
    match type_:
        case String(enum=enum) if enum:
            return f"VARCHAR({max(len(text.encode()) for text in enum)})"
        case String(max_length=characters):
            return f"VARCHAR({min((characters or 0) * _BYTES_OF_A_CHARACTER, MAX_VARCHAR_BYTES)})"
        case Decimal(precision=precision, scale=scale):
            return f"DECIMAL({precision}, {scale})"
    return _SCALARS[type(type_)][0]


def _encoding(type_: Type) -> str:
    match type_:
        case String():
            return "zstd"
        case Decimal():
            return "az64"
    return _SCALARS[type(type_)][1]
