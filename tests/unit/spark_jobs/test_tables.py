"""The statements that make the tables of the lake."""

from __future__ import annotations

import pytest

from contracts import catalog
from services.kernel.core import settings
from spark_jobs import tables
from spark_jobs.settings import SparkSettings

READ = settings.load(SparkSettings, {"CADABRA_NAMESPACE": "shop-eu"})


def test_a_table_lies_in_the_database_of_its_namespace() -> None:
    assert tables.place("sales.order_lines", READ) == (
        "lake.`shop_eu_sales`",
        "lake.`shop_eu_sales`.`order_lines`",
    )


def test_a_table_is_made_with_its_columns_partitions_and_order() -> None:
    create, order = tables.statements("sales.order_lines", "here")

    assert create.startswith("CREATE TABLE IF NOT EXISTS here (\n  `source` STRING NOT NULL COMMENT '")
    assert (
        ") USING iceberg\nPARTITIONED BY (months(ordered_at))\nTBLPROPERTIES ('format-version' = '2'"
        in create
    )
    assert "'write.merge.mode' = 'copy-on-write'" in create
    assert order == "ALTER TABLE here WRITE ORDERED BY ordered_at, source, order_id"


def test_a_table_without_partitions_has_none() -> None:
    assert "PARTITIONED" not in next(tables.statements("sales.dim_date", "here"))


@pytest.mark.parametrize("name", catalog.load().lake_tables)
def test_every_table_of_the_contracts_can_be_made(name: str) -> None:
    assert next(tables.statements(name, "here"))
