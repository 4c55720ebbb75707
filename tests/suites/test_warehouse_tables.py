"""The rendered tables of the warehouse in PostgreSQL: every valid example goes in and comes out the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from contracts import catalog
from contracts.scalars import timestamp

TABLES = catalog.load().warehouse_tables


@pytest.fixture
def connection(postgresql: str, namespace: str) -> Iterator[psycopg.Connection]:
    """A connection in a schema of the test's own."""
    with psycopg.connect(postgresql, autocommit=True) as opened:
        schema = sql.Identifier(namespace)
        opened.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        opened.execute(sql.SQL("SET search_path TO {}").format(schema))
        yield opened


def create(connection: psycopg.Connection, table: str) -> None:
    """Run the rendered statement."""
    text = (catalog.ROOT / f"generated/postgresql/{table}.sql").read_text(encoding="utf-8")
    connection.execute(text.encode())


def insert(connection: psycopg.Connection, table: str, document: dict[str, Any]) -> None:
    """Add a document as a row."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, document)),
        sql.SQL(", ").join([sql.Placeholder()] * len(document)),
    )
    connection.execute(statement, list(document.values()))


def examples(table: str) -> list[dict[str, Any]]:
    """The valid examples of a table's contract."""
    folder = catalog.ROOT / "examples" / TABLES[table].contract / str(TABLES[table].version)
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.valid.json"))]


@pytest.mark.parametrize("table", TABLES)
def test_every_example_goes_in_and_comes_out_the_same(connection: psycopg.Connection, table: str) -> None:
    create(connection, table)
    create(connection, table)  # harmless where it is there
    for document in examples(table):
        insert(connection, table, document)

    cursor = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))

    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    found = [dict(zip(names, map(as_written, row), strict=True)) for row in cursor]
    assert found == [{key: as_number(value) for key, value in one.items()} for one in examples(table)]


@pytest.mark.parametrize("table", TABLES)
def test_an_identity_is_there_once(connection: psycopg.Connection, table: str) -> None:
    create(connection, table)
    document = examples(table)[0]
    insert(connection, table, document)

    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(connection, table, document)


def test_what_every_row_has_may_not_be_null(connection: psycopg.Connection) -> None:
    create(connection, "fact_order_lines")

    with pytest.raises(psycopg.errors.NotNullViolation):
        insert(connection, "fact_order_lines", {**examples("fact_order_lines")[0], "amount": None})


def as_written(value: Any) -> Any:
    """A value of a column as contracts write it."""
    if isinstance(value, datetime):
        return timestamp(value.replace(tzinfo=UTC))
    return as_number(str(value)) if hasattr(value, "isoformat") else as_number(value)


def as_number(value: Any) -> Any:
    """A text of digits with a point as its number, so that 2.55 is 2.5500."""
    if isinstance(value, str) and value.count(".") == 1 and value.lstrip("-").replace(".", "").isdecimal():
        return Decimal(value)
    return value
