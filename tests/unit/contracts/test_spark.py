"""The schemas and columns that Spark is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import catalog
from contracts.model import (
    MAX_COMMENT,
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
from contracts.render import spark

ROW = Struct((Field("a", Int32(), True, False, "A."), Field("b", String(), False, True, "B.", "words")))


@pytest.mark.parametrize(
    ("type_", "in_json", "in_sql"),
    [
        (String(), "string", "STRING"),
        (Int32(), "integer", "INT"),
        (Int64(), "long", "BIGINT"),
        (Double(), "double", "DOUBLE"),
        (Boolean(), "boolean", "BOOLEAN"),
        (Date(), "date", "DATE"),
        (Timestamp(), "timestamp", "TIMESTAMP"),
        (Decimal(18, 4), "decimal(18,4)", "DECIMAL(18, 4)"),
        (Array(Int32(), 0, 9), {"type": "array", "elementType": "integer", "containsNull": False}, "ARRAY<INT>"),
        (
            ROW,
            {
                "type": "struct",
                "fields": [
                    {"name": "a", "type": "integer", "nullable": False, "metadata": {"comment": "A."}},
                    {
                        "name": "b",
                        "type": "string",
                        "nullable": True,
                        "metadata": {"comment": "B. Unit: words."},
                    },
                ],
            },
            "STRUCT<`a`: INT NOT NULL, `b`: STRING>",
        ),
    ],
)  # fmt: skip
def test_every_type_of_the_profile_has_one_of_spark(type_: Type, in_json: Any, in_sql: str) -> None:
    (field,) = spark.schema(Struct((Field("x", type_, True, False, "X."),)))["fields"]

    assert (field["type"], spark.sql_type(type_)) == (in_json, in_sql)


def test_each_contract_at_rest_has_a_schema_and_each_lake_table_its_columns() -> None:
    whole = catalog.load()
    rendered = spark.render(whole)
    contracts = {"order_line", "rejected", "loaded_object", "fact_order_line"}
    contracts |= {"dim_customer", "dim_product", "dim_date", "dim_country"}

    assert rendered.keys() == {f"spark/{name}/1.json" for name in contracts} | {
        f"spark/{name}.json" for name in whole.lake_tables
    }
    table = json.loads(rendered["spark/sales.order_lines.json"])
    assert (table["partitioned_by"], table["identity"][0]) == ("months(ordered_at)", "source")
    assert table["columns"][-1].startswith("`unknown` STRING COMMENT 'What a newer writer sent")
    assert [column.split(" COMMENT ")[0] for column in table["columns"][13:15]] == [
        "`quantity` INT NOT NULL",
        "`unit_price` DECIMAL(18, 4) NOT NULL",
    ]


def test_a_quote_and_a_backslash_do_not_end_a_comment() -> None:
    table = json.loads(spark.render(catalog.load())["spark/sales.order_lines.json"])

    (line_id,) = [text for text in table["columns"] if text.startswith("`line_id`")]
    assert r"the client\'s own" in line_id


def test_a_comment_is_as_long_as_the_catalogue_of_glue_takes() -> None:
    def comment(length: int) -> str:
        return Field("x", Int32(), True, False, "d" * length, "u").comment

    assert comment(MAX_COMMENT - len(" Unit: u.")) == "d" * 246 + " Unit: u."
    assert comment(MAX_COMMENT - len(" Unit: u.") + 1) == "d" * 247 + " Unit: …"
    assert len(comment(4000)) == MAX_COMMENT
