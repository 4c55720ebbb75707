"""Streams for Flink: the columns of each stream's records and how its partition key is made of them, as JSON.

A job puts `CREATE TABLE`, its connector and its options around the columns. Times and decimals stay the strings that
they are on the wire: Flink would read a decimal as a number and lose how it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from contracts.catalog import Catalog
from contracts.model import (
    Array,
    Boolean,
    Date,
    Decimal,
    Double,
    Field,
    Int32,
    Int64,
    Stream,
    String,
    Struct,
    Timestamp,
    Type,
)
from contracts.profile import ProfileError

FOLDER = "flink"
_SCALARS: Mapping[type[Type], str] = {
    String: "STRING",
    Int32: "INT",
    Int64: "BIGINT",
    Double: "DOUBLE",
    Boolean: "BOOLEAN",
    Date: "STRING",
    Timestamp: "STRING",
    Decimal: "STRING",
}


def render(catalog: Catalog) -> Mapping[str, str]:
    """Write one file a stream: its path below `generated/`, and its text."""
    return {f"{FOLDER}/{stream.name}.json": _stream(stream, catalog) for stream in catalog.streams.values()}


def _stream(stream: Stream, catalog: Catalog) -> str:
    contract = catalog.contract_of(stream)
    document = {
        "contract": contract.title,
        "columns": [_column(field) for field in contract.struct.fields],
        "partition_key": _partition_key(stream),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _column(field: Field) -> str:
    """One column; what every record has is NOT NULL, so that a sink refuses a record without it."""
    comment = field.described.replace("'", "''")
    return f"`{field.name}` {sql_type(field.type)}{' NOT NULL' if field.always else ''} COMMENT '{comment}'"


def sql_type(type_: Type) -> str:
    """The Flink SQL type of a value. What is inside a struct or an array may be null: Flink casts no row to less."""
    match type_:
        case Array(items=items):
            return f"ARRAY<{sql_type(items)}>"
        case Struct(fields=fields):
            return f"ROW<{', '.join(f'`{field.name}` {sql_type(field.type)}' for field in fields)}>"
    return _SCALARS[type(type_)]


def _partition_key(stream: Stream) -> dict[str, object]:
    """The columns of the partition key and what stands between them.

    Raises:
        ProfileError: a sink of Flink can only join columns by one delimiter, and this key is something else.
    """
    columns = re.findall(r"\{([a-z0-9_]+)\}", stream.partition_key)
    between = re.split(r"\{[a-z0-9_]+\}", stream.partition_key)
    delimiters = set(between[1:-1])
    if between[0] or between[-1] or len(delimiters) > 1 or "" in delimiters:
        raise ProfileError(f"streams/{stream.name}.toml: a sink of Flink cannot make {stream.partition_key}")
    return {"columns": columns, "delimiter": delimiters.pop() if delimiters else ""}
