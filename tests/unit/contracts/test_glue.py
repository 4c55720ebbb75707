"""The tables that the Glue Data Catalog is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import catalog
from contracts.model import (
    Array,
    Boolean,
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
from contracts.render import glue


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (String(), "string"),
        (Int32(), "int"),
        (Int64(), "bigint"),
        (Double(), "double"),
        (Boolean(), "boolean"),
        (Date(), "date"),
        (Timestamp(), "timestamp"),
        (Decimal(18, 4), "decimal(18,4)"),
        (
            Array(Struct((Field("a", Int32(), True, False, ""), Field("b", String(), True, True, ""))), 0, 9),
            "array<struct<a:int,b:string>>",
        ),
    ],
)
def test_every_type_of_the_profile_has_one_of_glue(type_: Type, expected: str) -> None:
    assert glue.glue_type(type_) == expected


def tables() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in glue.render(catalog.load()).items()}


def test_each_landing_and_lake_table_is_there() -> None:
    whole = catalog.load()

    assert tables().keys() == {f"glue/landing.{name}.json" for name in whole.landings} | {
        f"glue/{name}.json" for name in whole.lake_tables
    }


def test_a_landing_is_partitioned_by_the_hour_and_needs_no_registering() -> None:
    orders = tables()["glue/landing.orders.json"]

    assert [key["Name"] for key in orders["PartitionKeys"]] == ["ingested_hour"]
    assert orders["Parameters"]["projection.enabled"] == "true"
    assert "Location" not in orders["StorageDescriptor"]


def test_a_lake_table_has_its_columns_with_their_meaning() -> None:
    lines = tables()["glue/sales.order_lines.json"]

    assert (lines["Name"], lines["PartitionKeys"]) == ("order_lines", [])
    assert lines["StorageDescriptor"]["Columns"][13] == {
        "Name": "quantity",
        "Type": "int",
        "Comment": "How many were ordered; below zero when they come back or are written off. Unit: pieces.",
    }
