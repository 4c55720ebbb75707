"""The transactions as both engines are given them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlglot
from sqlglot import expressions
from sqlglot.dialects.redshift import Redshift as RedshiftSql

from services.kernel.adapters.redshift import MAX_STATEMENTS
from services.kernel.adapters.warehouse import Ask, Copy, Statement
from spark_jobs.warehouse.export import TABLES, Export, ExportedTable
from spark_jobs.warehouse.redshift import dialects
from spark_jobs.warehouse.redshift.statements import Statements, Transaction

RUN = "000000001-20101202T082600Z-00000001"
FACTS = "fact_order_lines"
WHOLE = Export(
    RUN,
    "2010-12-02T08:26:00.123000+00:00",
    {name: ExportedTable(f"exports/{RUN}/{name}/", True, 3, 4) for name in TABLES},
)
DIALECTS = {"redshift": dialects.REDSHIFT, "postgres": dialects.POSTGRESQL}
# Source: Amazon Redshift's reserved words, as sqlglot lists them.
RESERVED = {word.upper() for word in RedshiftSql.Generator.RESERVED_KEYWORDS}


def made(dialect: str) -> Statements:
    return Statements("shop_sales", "shop-lake", DIALECTS[dialect])


def every(statements: Statements) -> dict[str, Transaction]:
    return {
        "what_is_there": statements.what_is_there(),
        "prepare": statements.prepare(),
        "loads": statements.loads(),
        "load": statements.load(WHOLE, None, compare=True),
        "rehearse": statements.rehearse(WHOLE),
        "check": statements.check(RUN),
    }


def text(statement: Statement) -> str:
    return statement.sql if isinstance(statement, Ask) else str(statement)


def texts(dialect: str) -> Iterator[tuple[str, str]]:
    for transaction in every(made(dialect)).values():
        for step, statement in transaction.steps:
            if not isinstance(statement, Copy):
                yield step, text(statement)


def with_facts(**other: object) -> Export:
    facts = replace(WHOLE.tables[FACTS], **other)  # type: ignore[arg-type]
    return Export(RUN, WHOLE.published_at, {**WHOLE.tables, FACTS: facts})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_transaction_is_one_batch(dialect: str) -> None:
    counts = {name: len(one.statements) for name, one in every(made(dialect)).items()}
    assert max(counts.values()) <= MAX_STATEMENTS
    assert (counts["load"], counts["rehearse"]) == (38, 37)


def test_the_engines_get_the_same_but_for_a_few_words() -> None:
    ours, theirs = every(made("redshift")), every(made("postgres"))
    for name, transaction in ours.items():
        assert [step for step, _ in transaction.steps] == [step for step, _ in theirs[name].steps]
    differing = {
        step
        for name in ("load", "rehearse", "check")
        for (step, one), (_, other) in zip(ours[name].steps, theirs[name].steps, strict=True)
        if one != other
    }
    assert differing == {"lock", "warehouse_loads", "compare", "which", *(f"equal {name}" for name in TABLES)}


def test_a_load_locks_the_ledger_before_it_looks() -> None:
    steps = made("redshift").load(WHOLE, "before", compare=True).steps
    assert [step for step, _ in steps[:3]] == ["schema", "lock", "newest"]
    assert "= 'before'" in text(steps[2][1])
    assert steps[-1][0] == "warehouse_loads"


def test_a_statement_is_known_by_its_place() -> None:
    transaction = made("redshift").load(WHOLE, None, compare=True)
    assert [transaction.step(index) for index in (0, 37)] == ["schema", "warehouse_loads"]


def test_only_whole_tables_lose_rows_and_only_the_newest_export_is_compared() -> None:
    steps = [step for step, _ in made("redshift").load(with_facts(whole=False), None, compare=False).steps]
    deletes = [step for step in steps if step.startswith("delete")]
    assert deletes == [f"delete {name}" for name in TABLES if name != FACTS]
    assert not [step for step in steps if step.startswith("equal") or "digests" in step]
    assert f"merge {FACTS}" in steps
    assert "total rows" in steps


def test_a_table_without_rows_is_not_copied() -> None:
    """Redshift's COPY refuses a prefix without objects."""
    unchanged = made("redshift").load(with_facts(whole=False, rows=0), None, compare=True)
    assert not [step for step, _ in unchanged.steps if FACTS in step and not step.startswith("equal")]
    emptied = [step for step, _ in made("redshift").load(with_facts(rows=0), None, compare=True).steps]
    assert f"delete {FACTS}" in emptied
    assert f"copy {FACTS}" not in emptied


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_sql_of_its_engine(dialect: str) -> None:
    """As far as a parser knows; a real Redshift was not asked."""
    unknown = []
    for step, sql in texts(dialect):
        if isinstance(sqlglot.parse_one(sql, read=dialect), expressions.Command):
            unknown.append(step)
    assert set(unknown) == {"lock"}


def test_no_name_without_quotes_is_a_reserved_word_of_redshift() -> None:
    used = set()
    for step, sql in texts("redshift"):
        if step != "lock":
            tree = sqlglot.parse_one(sql, read="redshift")
            used |= {
                one.name.upper() for one in tree.find_all(expressions.Identifier) if not one.args["quoted"]
            }
    assert {"BUCKET", "DIGEST", "FOUND"} <= used
    assert not used & RESERVED


def test_no_statement_is_longer_than_the_data_api_takes() -> None:
    """Source: quotas of the Data API: a statement has at most 100 KB."""
    assert max(len(sql) for _, sql in texts("redshift")) < 100_000


def test_a_cast_of_redshift_cuts_no_text() -> None:
    """A VARCHAR without a length has 256 bytes there."""
    for _, sql in texts("redshift"):
        casts = re.findall(r'CAST\("(?:description|line_id|country)" AS (VARCHAR[^ )]*\)?)', sql)
        assert "VARCHAR" not in casts
