"""For Spark: the schema of each contract that rests in landing, lake or warehouse, and the columns of each lake table.

`spark/<contract>/<version>.json` is what `StructType.fromJson` reads. `spark/<namespace>.<table>.json` is what a job
makes a `CREATE TABLE` of. Times are TIMESTAMP, an instant; decimals are DECIMAL: in files of columns neither is text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.catalog import Catalog, Place
from contracts.lakehouse import LakeTable
from contracts.model import (
    Array,
    Boolean,
    Contract,
    Date,
    Decimal,
    Double,
    Field,
    Int32,
    Int64,
    String,
    Struct,
    Timestamp,
    Type,
)

FOLDER = "spark"
_SCALARS: Mapping[type[Type], tuple[str, str]] = {
    String: ("string", "STRING"),
    Int32: ("integer", "INT"),
    Int64: ("long", "BIGINT"),
    Double: ("double", "DOUBLE"),
    Boolean: ("boolean", "BOOLEAN"),
    Date: ("date", "DATE"),
    Timestamp: ("timestamp", "TIMESTAMP"),
}
"""In a schema's JSON, and in SQL."""


def render(catalog: Catalog) -> Mapping[str, str]:
    """Write one file a contract and one a lake table: its path below `generated/`, and its text."""
    places: list[Place] = [
        *catalog.landings.values(),
        *catalog.lake_tables.values(),
        *catalog.warehouse_tables.values(),
    ]
    schemas = {contract.title: contract for contract in map(catalog.contract_of, places)}
    return {
        **{f"{FOLDER}/{title}.json": _text(schema(each.struct)) for title, each in sorted(schemas.items())},
        **{f"{FOLDER}/{name}.json": _table(table, catalog) for name, table in catalog.lake_tables.items()},
    }


def schema(struct: Struct) -> dict[str, Any]:
    """The JSON form of a StructType."""
    return {"type": "struct", "fields": [_field(field) for field in struct.fields]}


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": _type(field.type),
        "nullable": not field.always,
        "metadata": {"comment": field.comment},
    }


def _type(type_: Type) -> Any:
    match type_:
        case Array(items=items):
            return {"type": "array", "elementType": _type(items), "containsNull": False}
        case Struct():
            return schema(type_)
        case Decimal(precision=precision, scale=scale):
            return f"decimal({precision},{scale})"
    return _SCALARS[type(type_)][0]


def _table(table: LakeTable, catalog: Catalog) -> str:
    contract: Contract = catalog.contract_of(table)
    return _text(
        {
            "contract": contract.title,
            "columns": [_column(field) for field in contract.struct.fields],
            "identity": table.identity,
            "partitioned_by": table.partition,
            "sorted_by": table.sort,
        }
    )


def _column(field: Field) -> str:
    comment = field.comment.replace("\\", "\\\\").replace("'", "\\'")
    return f"`{field.name}` {sql_type(field.type)}{' NOT NULL' if field.always else ''} COMMENT '{comment}'"


def sql_type(type_: Type) -> str:
    """The Spark SQL type of a value."""
    match type_:
        case Array(items=items):
            return f"ARRAY<{sql_type(items)}>"
        case Struct(fields=fields):
            inner = (
                f"`{field.name}`: {sql_type(field.type)}{' NOT NULL' if field.always else ''}"
                for field in fields
            )
            return f"STRUCT<{', '.join(inner)}>"
        case Decimal(precision=precision, scale=scale):
            return f"DECIMAL({precision}, {scale})"
    return _SCALARS[type(type_)][1]


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
