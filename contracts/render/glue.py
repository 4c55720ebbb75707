"""For the Glue Data Catalog: each landing and lake table as a TableInput, without where it lies.

A landing's table is external, over Parquet, its hours found by Athena without being registered; whoever puts it adds
the location, which holds the bucket. A lake table's columns are those that Iceberg registers: its table is made by
Spark, this is for who has to know before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.catalog import Catalog
from contracts.lakehouse import LakeTable, Landing
from contracts.model import (
    Array,
    Boolean,
    Date,
    Decimal,
    Double,
    Int32,
    Int64,
    String,
    Struct,
    Timestamp,
    Type,
)

FOLDER = "glue"
_SCALARS: Mapping[type[Type], str] = {
    String: "string",
    Int32: "int",
    Int64: "bigint",
    Double: "double",
    Boolean: "boolean",
    Date: "date",
    Timestamp: "timestamp",
}
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_HOUR = {"Name": "ingested_hour", "Type": "string", "Comment": "Hour of arrival in UTC: 2026-11-27T05."}
# Source: Athena's partition projection; an hour without objects costs a listing and gives no rows.
_PROJECTION = {
    "classification": "parquet",
    "projection.enabled": "true",
    "projection.ingested_hour.type": "date",
    "projection.ingested_hour.format": "yyyy-MM-dd'T'HH",
    "projection.ingested_hour.range": "NOW-1YEARS,NOW",
    "projection.ingested_hour.interval": "1",
    "projection.ingested_hour.interval.unit": "HOURS",
}


def render(catalog: Catalog) -> Mapping[str, str]:
    """Write one file a table: its path below `generated/`, and its text."""
    tables = {f"landing.{name}": _landing(one, catalog) for name, one in catalog.landings.items()}
    tables |= {name: _lake(one, catalog) for name, one in catalog.lake_tables.items()}
    return {
        f"{FOLDER}/{name}.json": json.dumps(table, indent=2, ensure_ascii=False) + "\n"
        for name, table in tables.items()
    }


def _landing(landing: Landing, catalog: Catalog) -> dict[str, Any]:
    return {
        "Name": landing.name,
        "Description": landing.description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _PROJECTION,
        "PartitionKeys": [_HOUR],
        "StorageDescriptor": {"Columns": _columns(catalog.contract_of(landing).struct), **_PARQUET},
    }


def _lake(table: LakeTable, catalog: Catalog) -> dict[str, Any]:
    return {
        "Name": table.name.partition(".")[2],
        "Description": table.description,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [],  # Iceberg keeps partitions in its own metadata
        "StorageDescriptor": {"Columns": _columns(catalog.contract_of(table).struct)},
    }


def _columns(struct: Struct) -> list[dict[str, str]]:
    return [
        {"Name": field.name, "Type": glue_type(field.type), "Comment": field.comment}
        for field in struct.fields
    ]


def glue_type(type_: Type) -> str:
    """The Hive type of a value, as Glue and Athena write it."""
    match type_:
        case Array(items=items):
            return f"array<{glue_type(items)}>"
        case Struct(fields=fields):
            return f"struct<{','.join(f'{field.name}:{glue_type(field.type)}' for field in fields)}>"
        case Decimal(precision=precision, scale=scale):
            return f"decimal({precision},{scale})"
    return _SCALARS[type(type_)]
