"""The warehouse's load on PostgreSQL and S3: every export once and whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from deploy.local import processes
from deploy.local.layout import ROOT
from services.kernel.adapters.s3 import S3
from spark_jobs.warehouse import export
from spark_jobs.warehouse.redshift.__main__ import main
from tests import warehouse_exports as made
from tests.redshift_data import RedshiftDataStub, Script
from tests.warehouse_exports import FACTS, Star

_DEADLINE_S = 60.0
COMMAND = [sys.executable, "-m", "spark_jobs.warehouse.redshift", "load", "--json"]


@dataclass
class Stage:
    """A namespace's exports and warehouse, and the command over them."""

    s3: S3
    bucket: str
    url: str
    schema: str
    capsys: pytest.CaptureFixture[str]
    environment: dict[str, str]

    async def command(self, name: str) -> tuple[int, dict[str, Any]]:
        """Run a command; its exit code and what it printed."""
        code = await asyncio.to_thread(main, [name, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    async def load(self) -> list[str]:
        """Load, and the runs that were."""
        code, told = await self.command("load")
        assert code == 0, told
        return [one["run"] for one in told["loaded"]]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with psycopg.connect(self.url, options=f"-c search_path={self.schema}") as connection:
            return connection.execute(sql.encode()).fetchall()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table's rows, and their places: a row that was written anew has another one."""
        tables = [*export.TABLES, "warehouse_loads"]
        rows = {name: self.query(f"SELECT ctid::text, * FROM {name}") for name in tables}  # noqa: S608
        return {name: sorted(found, key=repr) for name, found in rows.items()}

    def stops_at(self, table: str) -> None:
        """Make whoever writes a row of a table wait for whoever holds the advisory lock 7."""
        wait = "BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END"
        with psycopg.connect(self.url, options=f"-c search_path={self.schema}") as connection:
            connection.execute(
                f"CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $${wait}$$".encode()
            )
            connection.execute(
                f"CREATE TRIGGER wait BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION wait()".encode()
            )

    def holds(self, star: Star) -> None:
        """The warehouse has exactly these rows."""
        for table in export.TABLES:
            found = sorted(self.query(f"SELECT * FROM {table}"), key=repr)  # noqa: S608
            rows = [
                tuple(
                    value.replace(tzinfo=None) if hasattr(value, "hour") else value for value in row.values()
                )
                for row in star.rows(table)
            ]
            assert found == sorted(rows, key=repr), table


@pytest.fixture
async def stage(
    postgresql: str,
    s3_endpoint: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[Stage]:
    environment = {
        "CADABRA_NAMESPACE": namespace,
        "CADABRA_S3_ENDPOINT": s3_endpoint,
        "CADABRA_REDSHIFT_ENDPOINT": postgresql,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with S3.open(s3_endpoint, "us-east-1") as s3:
        bucket = f"{namespace}-lake"
        await s3.create_bucket(bucket)
        yield Stage(s3, bucket, postgresql, f"{namespace}_sales".replace("-", "_"), capsys, environment)


@pytest.fixture
def start(stage: Stage) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a load as a process of its own; all are killed when the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def started() -> subprocess.Popen[bytes]:
        running.append(
            subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env={**os.environ, **stage.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=processes.die_with_parent,
            )
        )
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


async def until(stage: Stage, condition: str, count: int = 1) -> None:
    """Wait until so many of PostgreSQL's sessions fulfil a condition."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _DEADLINE_S
    query = f"SELECT COUNT(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}"  # noqa: S608
    while stage.query(query)[0][0] != count:
        assert loop.time() < deadline, condition
        await asyncio.sleep(0.05)


async def test_the_first_export_comes_in_whole_and_a_second_load_changes_nothing(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    assert await stage.load() == [made.run_name(1)]
    stage.holds(star)
    before = stage.content()

    await made.write(stage.s3, stage.bucket, star, 1)  # the same export, delivered again
    assert await stage.load() == []
    assert stage.content() == before
    code, told = await stage.command("check")
    assert (code, told["equal"], told["run"]) == (0, True, made.run_name(1))


async def test_a_day_brings_new_rows_changes_some_and_leaves_the_rest_where_they_are(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()

    # A customer has moved, so that two lines belong to another row of the dimension; a text has become null.
    moved_at = made.START + timedelta(minutes=5)
    star.put("dim_customer", made.customer(12_431, "EIRE", moved_at))
    star.put("dim_customer", {**made.customer(77, "France"), "customer_id": "12431", "valid_from": moved_at})
    star.put("dim_product", {**star.rows("dim_product")[3], "description": None})
    changed = star.put(FACTS, *(made.fact(n, customer_key=77) for n in (5, 10)), *map(made.fact, (100, 101)))
    same = star.rows(FACTS)[7]
    await made.write(stage.s3, stage.bucket, star, 2, [*changed, same])
    assert await stage.load() == [made.run_name(2)]

    stage.holds(star)
    after = stage.content()
    kept = {table: len(set(before[table]) & set(after[table])) for table in export.TABLES}
    assert kept == {
        "dim_country": 1,
        "dim_customer": 5,
        "dim_date": 3,
        "dim_product": 6,
        FACTS: len(before[FACTS]) - 2,
    }
    newest = stage.query("SELECT run, fact_order_lines_rows, seconds > 0 FROM warehouse_loads ORDER BY run")
    assert newest == [(made.run_name(1), 41, True), (made.run_name(2), 5, True)]


async def test_a_dimensions_rows_go_when_the_lake_has_them_no_more(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    star.tables["dim_product"].popitem()
    star.tables["dim_customer"].pop((12_433,))
    await made.write(stage.s3, stage.bucket, star, 2, [])
    assert await stage.load() == [made.run_name(1), made.run_name(2)]
    stage.holds(star)


async def test_a_gap_is_refused_until_an_export_of_all_rows_comes(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()
    await made.write(stage.s3, stage.bucket, star, 3, [])
    code, told = await stage.command("load")
    assert (code, told["missing"]) == (65, made.run_name(2))
    assert f"export {made.run_name(2)} is missing" in told["message"]
    assert stage.content() == before
    code, told = await stage.command("status")
    assert (code, told["pending"], told["loads"][0]["run"]) == (0, [], made.run_name(1))
    assert "is missing" in told["fault"]

    star.put(FACTS, made.fact(500))
    await made.write(stage.s3, stage.bucket, star, 4)
    code, told = await stage.command("load")
    assert (code, told["passed_over"]) == (0, [made.run_name(3)])
    stage.holds(star)


async def test_half_an_export_is_none(stage: Stage) -> None:
    await made.write(stage.s3, stage.bucket, made.small(), 1, document=False)
    assert await stage.load() == []
    assert stage.query("SELECT COUNT(*) FROM warehouse_loads") == [(0,)]
    code, told = await stage.command("check")
    assert (code, told["error"]) == (69, "MissingResource")


async def test_a_warehouse_that_would_not_be_equal_stays_as_it_is_and_says_where(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()
    changed = star.put(FACTS, made.fact(200))
    lake = made.small()
    lake.put(FACTS, made.fact(200, unit_price=Decimal("2.5501")))
    await made.write(stage.s3, stage.bucket, star, 2, changed, digested=lake)

    code, told = await stage.command("load")

    assert (code, told["step"]) == (65, f"equal {FACTS}")
    assert told["differences"] == [{"table": FACTS, "buckets": 1, "rows": ["shop 536375 orders-1.csv:14000"]}]
    assert stage.content() == before


async def test_a_check_finds_what_somebody_has_changed(stage: Stage) -> None:
    await made.write(stage.s3, stage.bucket, made.small(), 1)
    await stage.load()
    with psycopg.connect(stage.url, options=f"-c search_path={stage.schema}") as connection:
        connection.execute("UPDATE dim_customer SET country = NULL WHERE customer_key = 12432")
        connection.execute("DELETE FROM dim_date WHERE date_key = 20101202")
    code, told = await stage.command("check")
    assert code == 65
    assert told["differences"] == [
        {"table": "dim_customer", "buckets": 1, "rows": ["12432"]},
        {"table": "dim_date", "buckets": 1, "rows": []},
    ]


async def test_more_rows_than_the_lake_has_are_found_before_they_are_there(stage: Stage) -> None:
    """A line that the lake has no more: nothing would ever take it out again."""
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()
    star.tables[FACTS].popitem()
    await made.write(stage.s3, stage.bucket, star, 2, [])
    code, told = await stage.command("load")
    assert (code, told["step"]) == (65, "total rows")
    assert [one["table"] for one in told["differences"]] == [FACTS]
    assert stage.content() == before


async def test_an_export_with_a_file_missing_or_a_wrong_column_changes_nothing(stage: Stage) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()
    lines = star.put(FACTS, *map(made.fact, range(300, 310)))
    day = await made.write(stage.s3, stage.bucket, star, 2, lines, files=2)

    prefix = day.tables[FACTS].prefix
    kept = await stage.s3.get(stage.bucket, f"{prefix}part-1.parquet", max_bytes=1_000_000)
    assert kept
    await stage.s3.delete(stage.bucket, f"{prefix}part-1.parquet")
    code, told = await stage.command("load")
    assert (code, told["prefix"], told["rows"], told["said"]) == (65, prefix, 5, 10)

    text = made.schema(FACTS).set(5, pa.field("product_key", pa.string()))
    as_text = made.encode([{**star.rows(FACTS)[0], "product_key": "1"}], text)
    other = made.encode(star.rows("dim_product"), made.schema("dim_product"))
    for table, column, body in [(FACTS, "product_key", as_text), ("dim_date", "quarter", other)]:
        key = f"{day.tables[table].prefix}part-0.parquet"
        right = await stage.s3.get(stage.bucket, key, max_bytes=1_000_000)
        assert right
        await stage.s3.put(stage.bucket, key, body)
        code, told = await stage.command("load")
        assert (code, told["key"]) == (65, key)
        assert column in told["message"]
        await stage.s3.put(stage.bucket, key, right)

    assert stage.content() == before
    await stage.s3.put(stage.bucket, f"{prefix}part-1.parquet", kept)
    assert await stage.load() == [made.run_name(2)]
    stage.holds(star)


async def test_a_row_that_the_warehouse_cannot_hold_is_refused_with_its_table(stage: Stage) -> None:
    star = made.small()
    star.put("dim_country", {"country_key": 43, "country": "x" * 300})
    await made.write(stage.s3, stage.bucket, star, 1)
    code, told = await stage.command("load")
    assert (code, told["step"]) == (65, "copy dim_country")
    assert stage.query("SELECT COUNT(*) FROM dim_date") == [(0,)]


async def test_of_two_loads_at_once_one_waits_and_finds_nothing_to_do(
    stage: Stage, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    await made.write(stage.s3, stage.bucket, star, 2, star.put(FACTS, made.fact(300)))
    with psycopg.connect(stage.url) as held:
        held.execute(f"LOCK TABLE {stage.schema}.warehouse_loads IN EXCLUSIVE MODE".encode())
        both = [start(), start()]
        await until(stage, "wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'", 2)
    told = [await asyncio.to_thread(process.communicate) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    loaded = [[one["run"] for one in json.loads(out)["loaded"]] for out, _ in told]
    assert sorted(loaded) == [[], [made.run_name(2)]]
    stage.holds(star)


async def test_two_first_loads_at_once_make_the_tables_once(
    stage: Stage, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    both = [start(), start()]
    told = [await asyncio.to_thread(process.communicate) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum(len(json.loads(out)["loaded"]) for out, _ in told) == 1
    stage.holds(star)


@pytest.mark.parametrize(("table", "waits_at"), [(FACTS, "MERGE%"), ("warehouse_loads", "INSERT%")])
async def test_a_load_that_is_killed_leaves_nothing_and_is_repeated(
    stage: Stage, start: Callable[[], subprocess.Popen[bytes]], table: str, waits_at: str
) -> None:
    star = made.small()
    await made.write(stage.s3, stage.bucket, star, 1)
    await stage.load()
    before = stage.content()
    star.put("dim_customer", made.customer(12_431, "France"), made.customer(99, "France"))
    await made.write(
        stage.s3, stage.bucket, star, 2, star.put(FACTS, made.fact(1, quantity=9), made.fact(300))
    )
    with psycopg.connect(stage.url) as held:
        held.execute(b"SELECT pg_advisory_xact_lock(7)")
        stage.stops_at(table)
        process = start()
        await until(stage, f"wait_event = 'advisory' AND query LIKE '{waits_at}'")
        process.kill()
        await asyncio.to_thread(process.wait)
    await until(stage, f"query LIKE '{waits_at}'", 0)
    assert stage.content() == before
    assert await stage.load() == [made.run_name(2)]
    stage.holds(star)


async def test_a_warehouse_that_is_away_is_tried_again_later_and_one_that_is_not_there_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADABRA_REDSHIFT_ENDPOINT", "postgresql://nobody@127.0.0.1:1/none")
    code, told = await stage.command("load")
    assert (code, told["error"]) == (75, "Unavailable")
    monkeypatch.setenv("CADABRA_REDSHIFT_ENDPOINT", f"{stage.url}-gone")
    code, told = await stage.command("load")
    assert (code, told["error"]) == (69, "MissingResource")


async def test_without_postgresql_the_data_api_is_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made.write(stage.s3, stage.bucket, made.small(), 1)
    async with RedshiftDataStub(lambda _: Script(0, rows={0: []})) as stub:
        monkeypatch.setenv("CADABRA_REDSHIFT_ENDPOINT", stub.url)
        monkeypatch.setenv("CADABRA_REDSHIFT_WORKGROUP", "shop")
        monkeypatch.setenv("CADABRA_REDSHIFT_COPY_ROLE_ARN", "arn:aws:iam::123456789012:role/copy")
        code, told = await stage.command("status")
    assert (code, told["loads"], told["pending"]) == (0, [], [made.run_name(1)])
    assert (stub.batches[0]["WorkgroupName"], stub.batches[0]["Database"]) == ("shop", "warehouse")
