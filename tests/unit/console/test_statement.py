"""Which SQL is taken, and that whatever is taken names the lake's tables alone."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from contracts import catalog
from services.console.sales import statement
from services.console.sales.statement import InvalidStatement, checked

REFUSED = {
    "SELECT * FROM read_csv('/etc/passwd')": "in the place of a table",
    "SELECT * FROM glob('/etc/*')": "",
    "SELECT * FROM TABLE(system.query('x'))": "in the place of a table",
    'SELECT * FROM "/etc/passwd"': "no table",
    "SELECT * FROM 'order_lines.parquet'": "no table",
    "SELECT * FROM other": "no table",
    "SELECT * FROM loaded_objects": "no table",
    "SELECT * FROM information_schema.tables": "named alone",
    "SELECT * FROM hive.sales.order_lines": "named alone",
    "SELECT * FROM other_sales.order_lines": "named alone",
    "SELECT * FROM order_lines, LATERAL (SELECT 1)": "Lateral",
    "SELECT * FROM UNNEST(sequence(1, 1000000000)) AS t(x)": "not taken",
    "SELECT repeat('x', 1000000000)": "REPEAT",
    "SELECT lpad('x', 1000000000, 'y')": "PAD",
    "SELECT getenv('HOME')": "getenv",
    "SELECT current_setting('x')": "current_setting",
    "SELECT current_user": "CURRENT_USER",
    "SELECT nextval('x')": "",
    "SELECT 1; SELECT 2": "one SELECT",
    "SELECT 1; DROP TABLE order_lines": "one SELECT",
    "DROP TABLE order_lines": "one SELECT",
    "DELETE FROM order_lines": "one SELECT",
    "INSERT INTO order_lines SELECT * FROM order_lines": "one SELECT",
    "CREATE TABLE x AS SELECT 1": "one SELECT",
    "SELECT * INTO x FROM order_lines": "only reads",
    "SELECT * FROM order_lines FOR UPDATE": "only reads",
    "SELECT * FROM (DELETE FROM order_lines)": "",
    "WITH x AS (DELETE FROM order_lines) SELECT 1": "",
    "WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x": "RECURSIVE",
    'WITH "/etc/passwd" AS (SELECT 1 AS x) SELECT 1': "WITH cannot name",
    "WITH order_lines AS (SELECT 1 AS x) SELECT * FROM order_lines": "WITH cannot name",
    "COPY order_lines TO '/tmp/x'": "",
    "SET memory_limit = '10GB'": "one SELECT",
    "PRAGMA database_list": "",
    "EXPLAIN SELECT 1": "one SELECT",
    "CALL system.x()": "",
    "VALUES 1": "one SELECT",
    "SELECT :year": "no parameter 'year'",
    "SELECT ?": "no parameter",
    "SELECT @x": "not taken",
    "SELECT * FROM order_lines FOR VERSION AS OF 1": "not taken",
    "SELECT * FROM order_lines TABLESAMPLE BERNOULLI (10)": "not taken",
    "": "one SELECT",
    ";;": "one SELECT",
    "SELECT": "",
    "not SQL at all": "",
    "SELECT 'unterminated": "",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000: "too deep",
    "SELECT '" + "x" * 20_000 + "'": "20,000",
}
TAKEN = (
    "SELECT count(*) AS n FROM order_lines",
    "select COUNT(*) from SALES.Order_Lines",
    "SELECT country, sum(amount) FROM fact_order_lines AS f JOIN dim_country AS c ON c.country_key = f.country_key "
    "WHERE kind IN ('sale', 'cancellation') AND NOT (quantity < 0 OR unit_price IS NULL) GROUP BY 1 "
    "HAVING count(*) > 1 ORDER BY 2 DESC NULLS LAST LIMIT 10",
    "WITH x AS (SELECT day FROM dim_date) SELECT max(day) FROM x UNION ALL SELECT min(day) FROM x",
    "SELECT row_number() OVER (PARTITION BY currency ORDER BY amount DESC) FROM fact_order_lines",
    "SELECT CASE WHEN month(ordered_at) = 3 THEN 'March' ELSE 'other' END FROM order_lines",
    "SELECT date_trunc('week', ordered_at), date_add('day', -7, ordered_at), extract(YEAR FROM ordered_at) "
    "FROM order_lines",
    "SELECT * FROM dim_customer WHERE valid_from >= TIMESTAMP '2011-01-01 00:00:00' AND customer_id LIKE '17%'",
    "SELECT EXISTS (SELECT 1 FROM dim_product WHERE description = 'it''s; DROP TABLE x')",
)


@pytest.mark.parametrize("text", REFUSED, ids=[text[:40] for text in REFUSED])
def test_what_does_not_only_read_the_lakes_tables_is_refused(text: str) -> None:
    with pytest.raises(InvalidStatement, match=REFUSED[text] or None):
        checked(text)


@pytest.mark.parametrize("text", TAKEN)
def test_what_is_taken_is_written_anew_and_means_the_same_in_both_dialects(text: str) -> None:
    question = checked(text)
    assert question.tables <= statement.TABLES
    assert checked(question.statement) == question
    assert sqlglot.transpile(question.statement, read="trino", write="duckdb")


def test_comments_and_databases_do_not_get_through() -> None:
    question = checked("/* a */ SELECT 1 AS x -- b\nFROM sales.order_lines /*+ c */")
    assert question.statement == "SELECT 1 AS x FROM order_lines"


def test_values_are_texts_whatever_is_in_them() -> None:
    values: dict[str, int | str | date] = {"a": "x' OR 1 = 1; --", "b": -3, "c": date(2011, 12, 9)}
    question = checked("SELECT * FROM dim_date WHERE day = :c AND year = :b AND 'y' = :a", values)
    literals = {
        one.this for one in sqlglot.parse_one(question.statement, dialect="trino").find_all(exp.Literal)
    }
    assert literals == {"x' OR 1 = 1; --", "3", "2011-12-09", "y"}


def test_the_tables_are_those_that_the_contracts_give_the_console() -> None:
    tables = catalog.load().lake_tables.values()
    readable = {table.name for table in tables if "console" in table.readers}
    assert {f"{statement.NAMESPACE}.{name}" for name in statement.TABLES} == readable


PIECES = st.sampled_from(
    [
        *(
            "SELECT",
            "FROM",
            "WHERE",
            "JOIN",
            "ON",
            "WITH",
            "AS",
            "UNION",
            "TABLE",
            "(",
            ")",
            ",",
            "*",
            "=",
            ";",
        ),
        *(
            "order_lines",
            "dim_date",
            "x",
            '"x.csv"',
            "'x.csv'",
            "1",
            ":p",
            "read_csv",
            "glob",
            "sum",
            "getenv",
        ),
        *(
            "DELETE",
            "INTO",
            "LATERAL",
            "UNNEST",
            "VALUES",
            "IN",
            "EXISTS",
            "a.b.c",
            "--",
            "/*",
            "ORDER BY",
            "LIMIT",
        ),
    ]
)


@given(st.lists(PIECES, max_size=16).map(" ".join))
def test_whatever_is_typed_reaches_no_other_table(text: str) -> None:
    try:
        question = checked(f"SELECT {text}")
    except InvalidStatement:
        return
    (tree,) = sqlglot.parse(question.statement, dialect="trino")
    assert isinstance(tree, exp.Select | exp.SetOperation)
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        assert isinstance(table.this, exp.Identifier)
        assert table.name in statement.TABLES | ctes
        assert not table.db
    assert not list(tree.find_all(exp.ReadCSV, exp.Anonymous, exp.Unnest, exp.Lateral, exp.Into))
