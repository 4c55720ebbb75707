"""The digest's statement, and how two of them are compared; what engines make of it is `tests/system/test_star.py`."""

from __future__ import annotations

import pytest

from contracts import catalog
from contracts.model import Field, Int64, String
from spark_jobs.warehouse import digest

FIELDS = [
    Field("key", Int64(), required=True, nullable=False, description="", unit="key"),
    Field("name", String(), required=True, nullable=True, description=""),
]


def test_every_column_is_in_a_rows_digest_and_only_the_identity_in_its_bucket() -> None:
    statement = digest.query("t", FIELDS, ["key"], digest.POSTGRESQL)

    bucket, _, row = statement.partition(" AS bucket, ")
    assert '"key"' in bucket
    assert '"name"' not in bucket
    assert '"key"' in row
    assert '"name"' in row
    assert statement.endswith("FROM t) AS digested\nGROUP BY bucket")


@pytest.mark.parametrize("dialect", [digest.SPARK, digest.POSTGRESQL, digest.REDSHIFT])
@pytest.mark.parametrize("table", catalog.load().warehouse_tables)
def test_every_dialect_names_every_column_of_every_table(table: str, dialect: digest.Dialect) -> None:
    known = catalog.load()
    place = known.warehouse_tables[table]
    fields = known.contract_of(place).struct.fields

    statement = digest.query(table, fields, place.identity, dialect)

    for field in fields:
        assert f"{dialect.quote}{field.name}{dialect.quote}" in statement


def test_buckets_that_differ_are_named_in_order() -> None:
    ours = {"a": (1, 2, 3), "c": (1, 2, 3), "b": (1, 2, 3), "d": (1, 2, 3)}
    theirs = {"a": (1, 2, 3), "c": (2, 2, 3), "b": (1, 2, 4), "e": (1, 2, 3)}

    assert digest.differing(ours, theirs) == ["b", "c", "d", "e"]
    assert digest.differing(ours, dict(ours)) == []
