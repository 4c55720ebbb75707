"""Bounds that leave other months' files alone."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.warehouse import months

DECEMBER = months.number(datetime(2010, 12, 31, 23, 59, tzinfo=UTC))


def test_neighbours_share_one_pair_of_bounds() -> None:
    assert months.condition("t.at", [DECEMBER + 1, DECEMBER, DECEMBER + 3]) == (
        "((t.at >= TIMESTAMP '2010-12-01 00:00:00+00:00' AND t.at < TIMESTAMP '2011-02-01 00:00:00+00:00')"
        " OR (t.at >= TIMESTAMP '2011-03-01 00:00:00+00:00' AND t.at < TIMESTAMP '2011-04-01 00:00:00+00:00'))"
    )


def test_no_month_holds_no_row() -> None:
    assert months.condition("at", []) == "FALSE"


@given(
    st.sets(st.integers(DECEMBER - 30, DECEMBER + 30), max_size=8),
    st.datetimes(datetime(2009, 1, 1), datetime(2012, 12, 31)),  # noqa: DTZ001 - hypothesis adds the zone below
)
def test_a_time_is_within_the_bounds_where_its_month_is_named(chosen: set[int], at: datetime) -> None:
    at = at.replace(tzinfo=UTC, microsecond=0)
    condition = months.condition("moment", chosen).replace("TIMESTAMP '", "TIMESTAMPTZ '")

    table = duckdb.sql(f"SELECT TIMESTAMPTZ '{at.isoformat()}' AS moment")
    row = table.project(condition).fetchone()

    assert row == (months.number(at) in chosen,)
