"""The tables that Redshift, and PostgreSQL in its place, are given."""

from __future__ import annotations

import re

import pytest

from contracts import catalog
from contracts.model import Boolean, Date, Decimal, Double, Int32, Int64, String, Timestamp, Type
from contracts.render import redshift


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (String(0, 64), "VARCHAR(256)"),
        (String(0, 16_383), "VARCHAR(65532)"),
        (String(0, 16_384), "VARCHAR(65535)"),
        (String(enum=("a", "größer")), "VARCHAR(8)"),
        (Int32(), "INTEGER"),
        (Int64(), "BIGINT"),
        (Double(), "DOUBLE PRECISION"),
        (Boolean(), "BOOLEAN"),
        (Date(), "DATE"),
        (Timestamp(), "TIMESTAMP"),
        (Decimal(28, 4), "DECIMAL(28, 4)"),
    ],
)
def test_every_type_that_a_column_holds_has_one_of_redshift(type_: Type, expected: str) -> None:
    assert redshift.sql_type(type_) == expected


def test_each_table_is_there_for_both() -> None:
    names = catalog.load().warehouse_tables

    assert redshift.render(catalog.load()).keys() == {
        f"{engine}/{name}.sql" for engine in ("redshift", "postgresql") for name in names
    }


@pytest.mark.parametrize("name", catalog.load().warehouse_tables)
def test_both_have_the_same_columns(name: str) -> None:
    rendered = redshift.render(catalog.load())
    on_aws = re.sub(
        r" ENCODE \w+|\n(DISTSTYLE|DISTKEY|COMPOUND SORTKEY) .*?(?=[\n;])",
        "",
        rendered[f"redshift/{name}.sql"],
    )

    assert on_aws == rendered[f"postgresql/{name}.sql"]


def test_facts_lie_by_order_and_in_the_order_of_time() -> None:
    facts = redshift.render(catalog.load())["redshift/fact_order_lines.sql"]

    assert facts.endswith(')\nDISTSTYLE KEY\nDISTKEY ("order_id")\nCOMPOUND SORTKEY ("ordered_at");\n')
    # Blocks of the first sort key are skipped by their bounds, which compression would make dear to read.
    assert '"ordered_at" TIMESTAMP ENCODE raw NOT NULL' in facts
    assert '"unit_price" DECIMAL(18, 4) ENCODE az64 NOT NULL' in facts
    assert '"source" VARCHAR(256) ENCODE zstd NOT NULL' in facts


def test_a_dimension_lies_whole_on_every_node() -> None:
    customers = redshift.render(catalog.load())["redshift/dim_customer.sql"]

    assert customers.endswith(')\nDISTSTYLE ALL\nCOMPOUND SORTKEY ("customer_key");\n')
    assert '"customer_id" VARCHAR(256) ENCODE zstd,' in customers
