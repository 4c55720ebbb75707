"""Raw file, order store, lake, star and warehouse are equal where they are, and every damage to one of them is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from deploy.local import line_tables
from deploy.local.ledger import Ledger
from deploy.local.lines_compare import LineReport, compare
from tests.unit.local.tiny_shop import World

LAKE_ORDER_LINES = """
CREATE TABLE lake_order_lines AS SELECT source, order_id, line_id, stock_code, description, quantity, unit_price,
  make_timestamptz(ordered_ms * 1000) AS ordered_at, customer_id, country, currency, kind FROM store
"""
STAR = """
CREATE TABLE {0}_dim_country AS SELECT DISTINCT hash(country) AS country_key, country FROM store;
CREATE TABLE {0}_dim_product AS SELECT DISTINCT hash(stock_code) AS product_key, stock_code FROM store;
CREATE TABLE {0}_dim_date AS SELECT DISTINCT CAST(strftime(day, '%Y%m%d') AS INTEGER) AS date_key, day
  FROM (SELECT CAST(ordered_at AS DATE) AS day FROM lake_order_lines);
CREATE TABLE {0}_dim_customer AS
  SELECT DISTINCT hash(customer_id) AS customer_key, customer_id, TIMESTAMPTZ '2010-01-01 00:00:00Z' AS valid_from,
    CAST(NULL AS TIMESTAMPTZ) AS valid_to
  FROM store WHERE customer_id IS NOT NULL
  UNION ALL SELECT 0, NULL, TIMESTAMPTZ 'epoch', NULL;
CREATE TABLE {0}_fact_order_lines AS
  SELECT source, order_id, line_id, CAST(strftime(CAST(ordered_at AS DATE), '%Y%m%d') AS INTEGER) AS date_key,
    CASE WHEN customer_id IS NULL THEN 0 ELSE hash(customer_id) END AS customer_key,
    hash(stock_code) AS product_key, hash(country) AS country_key, kind, currency, ordered_at, quantity, unit_price,
    CAST(quantity AS DECIMAL(10, 0)) * unit_price AS amount
  FROM lake_order_lines;
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def fill(connection: duckdb.DuckDBPyConnection, world: World, folder: Path) -> list[str]:
    """Every place as it is when all went well."""
    faults = line_tables.store(connection, world.parts())
    line_tables.raw(connection, world.ledger, world.raw, folder)
    connection.execute(LAKE_ORDER_LINES)
    connection.execute("CREATE TABLE lake_loaded_objects AS SELECT 'a' AS object_key, 9 AS lines")
    for place in ("lake", "warehouse"):
        connection.execute(STAR.format(place))
    return faults


def report_of(connection: duckdb.DuckDBPyConnection, world: World, folder: Path, *damages: str) -> LineReport:
    faults = fill(connection, world, folder)
    for damage in damages:
        connection.execute(damage)
    line_tables.lines(connection)
    return compare(connection, faults)


def test_places_that_are_equal_are_told_to_be(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path
) -> None:
    report = report_of(connection, world, tmp_path)

    assert report.told == []
    assert report.ok
    assert report.lines == report.replayed == dict.fromkeys(("raw", "store", "lake", "star", "warehouse"), 7)
    # 5 sums by month and country: United Kingdom in one month, EIRE in two, one of them with a cancellation.
    assert (report.sums, report.revenue) == (9, "36.6010")
    assert (report.objects, report.lines_landed) == (1, 9)
    assert report.rows["fact_order_lines"] == 7


def test_other_senders_are_compared_with_the_order_store_alone(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path
) -> None:
    body = world.body("1")
    world.bodies["alarm", "s1"] = [(5000, {**body, "source": "alarm", "order_id": "s1"})]

    report = report_of(connection, world, tmp_path)

    assert report.told == []
    assert (report.lines["lake"], report.replayed["lake"], report.replayed["raw"]) == (9, 7, 7)
    assert report.revenue == "36.6010"


def test_another_senders_line_that_the_lake_lost_is_told(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path
) -> None:
    body = world.body("1")
    world.bodies["alarm", "s1"] = [(5000, {**body, "source": "alarm", "order_id": "s1"})]

    report = report_of(
        connection, world, tmp_path, "DELETE FROM lake_order_lines WHERE source = 'alarm' AND line_id = '1'"
    )

    assert report.told[0] == "lake, missing: alarm/s1 line 1"
    assert not report.ok


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM lake_order_lines WHERE order_id = 'C3'", "lake, missing: shop/C3 line 1"),
        (
            "INSERT INTO lake_order_lines FROM lake_order_lines WHERE order_id = 'C3'",
            "lake, doubled: shop/C3 line 1",
        ),
        (
            "UPDATE lake_order_lines SET description = 'BLUE MUG' WHERE order_id = '1' AND line_id = '2'",
            "lake, altered: shop/1 line 2 (description 'RED MUG ' became 'BLUE MUG')",
        ),
        (
            "UPDATE lake_order_lines SET line_id = 'week.csv:7' WHERE line_id = 'week.csv:45'",
            "lake, foreign: files/4 line week.csv:7",
        ),
        (
            "UPDATE lake_order_lines SET customer_id = '' WHERE order_id = '2' AND line_id = '1'",
            "lake, altered: shop/2 line 1 (customer_id None became '')",
        ),
        (
            "UPDATE lake_fact_order_lines SET amount = amount + 0.0001 WHERE order_id = 'C3'",
            "star, altered: shop/C3 line 1 (amount Decimal('-1.0000') became Decimal('-0.9999'))",
        ),
        (
            "UPDATE lake_fact_order_lines SET product_key = 7 WHERE order_id = 'C3'",
            "star, altered: shop/C3 line 1 (stock_code 'B2' became None)",
        ),
        (
            "UPDATE lake_fact_order_lines SET date_key = 20101201 WHERE order_id = 'C3'",
            "star, altered: shop/C3 line 1 (ordered_ms 1309507260000 became None)",
        ),
        (
            "UPDATE lake_dim_customer SET valid_to = TIMESTAMPTZ '2011-12-01 09:02:00Z' WHERE customer_id = '12'",
            "star, altered: files/4 line week.csv:0 (customer_id '12' became '(no row of dim_customer holds)')",
        ),
        (
            "DELETE FROM warehouse_fact_order_lines WHERE order_id = '2' AND line_id = '2'",
            "warehouse, missing: shop/2 line 2",
        ),
        (
            "UPDATE warehouse_fact_order_lines SET amount = 0 WHERE order_id = '4'",
            "warehouse: 2011-12 EIRE: the raw file has 7.0000, it has 0.0000",
        ),
        ("UPDATE warehouse_dim_date SET day = day + 1", "dim_date: 6 rows differ"),
    ],
)
def test_every_damage_is_told(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path, damage: str, told: str
) -> None:
    report = report_of(connection, world, tmp_path, damage)

    assert told in report.told
    assert not report.ok


def test_what_was_never_acknowledged_may_be_there_and_need_not_be(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path
) -> None:
    again = Ledger(tmp_path / "again.jsonl", "run")
    for (source, order_id), held in world.bodies.items():
        if source == "shop":
            outcome = "unknown" if order_id in ("1", "2") else "acknowledged"
            again.order(source, order_id, len(held[0][1]["lines"]), outcome)  # type: ignore[arg-type]
    again.file_lines("week.csv", "files", world.ledger.files["week.csv"])
    again.close()
    world.ledger = again
    del world.bodies["shop", "1"]

    report = report_of(connection, world, tmp_path)

    assert report.told == []
    assert (report.replayed["raw"], report.replayed["lake"]) == (7, 5)


def test_an_item_that_cannot_be_read_fails_it(
    connection: duckdb.DuckDBPyConnection, world: World, tmp_path: Path
) -> None:
    world.body("1")["lines"][0]["unit_price"] = "dear"

    report = report_of(connection, world, tmp_path)

    assert "cannot be read" in report.told[0]
