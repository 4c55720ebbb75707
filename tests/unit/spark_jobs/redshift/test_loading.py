"""A load of Redshift: what the Data API is asked, and what is made of its answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.kernel.adapters.redshift import Place, Redshift
from services.kernel.adapters.warehouse import Copy
from services.kernel.core.errors import Unavailable
from services.kernel.core.retry import Retry
from spark_jobs.warehouse import export
from spark_jobs.warehouse.redshift import dialects
from spark_jobs.warehouse.redshift.files import Files
from spark_jobs.warehouse.redshift.loading import Difference, Loading
from spark_jobs.warehouse.redshift.plan import DataAtFault
from spark_jobs.warehouse.redshift.statements import Statements
from tests import warehouse_exports as made
from tests.memory.s3 import MemoryS3
from tests.redshift_data import RedshiftDataStub, Script

BUCKET = "shop-lake"
ROLE = "arn:aws:iam::123456789012:role/copy"
QUICK = Retry(base_s=0.001, cap_s=0.001)
Records = list[list[dict[str, Any]]]
TABLES = [*export.TABLES, "warehouse_loads"]


class Scripted:
    """A warehouse of Redshift that has these runs; the newest is first."""

    def __init__(self, loaded: list[str]) -> None:
        self.loaded = loaded
        self.prepared = True
        self.loading = Script()
        self.told: dict[int, Records] = {}
        self.then: list[str] = []

    def __call__(self, sqls: Sequence[str]) -> Script:
        """How a batch goes."""
        if "information_schema" in sqls[0]:
            names = TABLES if self.prepared else []
            return Script(0, rows={0: [[{"stringValue": name}] for name in names]})
        if sqls[-1].startswith('SELECT "run"'):
            rows: Records = [
                [
                    {"stringValue": run},
                    {"stringValue": "2010-12-02 08:26:00"},
                    {"stringValue": "2010-12-02 08:27:00"},
                    {"doubleValue": 1.5},
                    *([{"longValue": 3}] * 5),
                ]
                for run in self.loaded
            ]
            return Script(0, rows={1: rows})
        if sqls[-1].startswith("INSERT"):
            self.loaded = [*self.then, *self.loaded]
            return self.loading
        if sqls[-1].startswith("("):  # says how tables differ
            told = {len(sqls) + at: found for at, found in self.told.items()}
            if sqls[1].startswith("SELECT MAX"):
                told[1] = [[{"stringValue": self.loaded[0]}]]
            return Script(0, rows=told)
        self.prepared = True
        return Script(0)


@asynccontextmanager
async def staged(scripted: Scripted) -> AsyncIterator[tuple[Loading, RedshiftDataStub, MemoryS3]]:
    s3 = MemoryS3()
    await s3.create_bucket(BUCKET)
    place = Place("shop", "warehouse", ROLE)
    async with (
        RedshiftDataStub(scripted) as stub,
        Redshift.open(stub.url, "us-east-1", place, poll=QUICK) as redshift,
    ):
        statements = Statements("shop_sales", BUCKET, dialects.REDSHIFT)
        yield Loading(redshift, Files(s3, BUCKET), statements, lambda _: None), stub, s3


async def test_an_export_is_one_batch_that_copies_from_s3() -> None:
    scripted = Scripted([])
    scripted.prepared = False
    async with staged(scripted) as (loading, stub, s3):
        await made.write(s3, BUCKET, made.small(), 1)
        report = await loading.load()
    assert [one["run"] for one in report.loaded] == [made.run_name(1)]
    schema, create = stub.batches[1]["Sqls"][:3:2]
    assert schema == 'CREATE SCHEMA IF NOT EXISTS "shop_sales"'
    assert "DISTSTYLE ALL" in create
    copies = [sql for sql in stub.batches[-1]["Sqls"] if sql.startswith("COPY")]
    assert len(copies) == 6
    assert copies[-1] == (
        f"COPY \"exported_digests\" FROM 's3://{BUCKET}/exports/{made.run_name(1)}/digests/' "
        f"IAM_ROLE '{ROLE}' FORMAT AS PARQUET"
    )


async def test_a_load_that_another_one_has_overtaken_looks_again() -> None:
    scripted = Scripted([made.run_name(1)])
    scripted.loading = Script(failing=2, error="Invalid digit, Value 'o', Pos 0", status="FAILED")
    scripted.then = [made.run_name(2)]
    async with staged(scripted) as (loading, _, s3):
        await made.write(s3, BUCKET, made.small(), 2, [])
        report = await loading.load()
    assert (report.loaded, report.newest) == ([], made.run_name(2))


async def test_a_ledger_that_says_two_things_does_not_make_it_turn_for_ever() -> None:
    scripted = Scripted([made.run_name(1)])
    scripted.loading = Script(failing=2, error="Invalid digit, Value 'o', Pos 0", status="FAILED")
    async with staged(scripted) as (loading, _, s3):
        await made.write(s3, BUCKET, made.small(), 2, [])
        with pytest.raises(Unavailable, match="one thing inside"):
            await loading.load()


async def test_a_difference_is_looked_up_on_copies_and_named() -> None:
    scripted = Scripted([])
    # The statements behind those of the merge: total rows, digests, their copy, and a comparison a table.
    scripted.loading = Script(failing=32, error="Invalid digit, Value 'd'", status="FAILED")
    scripted.told = {
        -2: [[{"stringValue": "dim_customer"}, {"longValue": 2}]],
        -1: [[{"stringValue": "dim_customer"}, {"stringValue": str(key)}] for key in range(3)],
    }
    async with staged(scripted) as (loading, stub, s3):
        await made.write(s3, BUCKET, made.small(), 1)
        with pytest.raises(DataAtFault, match="Nothing was changed") as caught:
            await loading.load()
    assert caught.value.details["differences"] == [
        {"table": "dim_customer", "buckets": 2, "rows": ["0", "1", "2"]}
    ]
    changing = ("INSERT", "UPDATE", "CREATE TABLE")
    assert not [sql for sql in stub.batches[-1]["Sqls"] if sql.startswith(changing)]
    assert 'CREATE TEMP TABLE "dim_date" AS SELECT * FROM "shop_sales"."dim_date"' in stub.batches[-1]["Sqls"]


async def test_a_check_asks_redshift_itself() -> None:
    scripted = Scripted([made.run_name(1)])
    scripted.told = {-2: [], -1: []}
    async with staged(scripted) as (loading, _, s3):
        await made.write(s3, BUCKET, made.small(), 1)
        assert await loading.check() == []
        scripted.told = {-2: [[{"stringValue": "dim_date"}, {"stringValue": "1"}]], -1: []}
        assert await loading.check() == [Difference("dim_date", 1, ())]


async def test_a_document_that_tells_lies_of_its_place_is_refused() -> None:
    async with staged(Scripted([])) as (loading, stub, s3):
        found = await made.write(s3, BUCKET, made.small(), 1)
        key = export.document_key(found.run)
        for other in (
            made.with_table(found, "dim_date", prefix="exports/x' IAM_ROLE 'y/"),
            made.with_table(found, "dim_date", prefix=f"exports/{made.run_name(2)}/dim_date/"),
            replace(found, run=made.run_name(2)),
            replace(found, published_at="yesterday"),
        ):
            await s3.put(BUCKET, key, other.as_json().encode())
            with pytest.raises(DataAtFault, match=key):
                await loading.load()
        await s3.put(BUCKET, key, json.dumps({"format": 2}).encode())
        with pytest.raises(DataAtFault, match="format 2"):
            await loading.load()
        assert not [one for one in stub.batches if any("MERGE" in sql for sql in one["Sqls"])]


async def test_what_is_no_parquet_is_named() -> None:
    async with staged(Scripted([])) as (loading, _, s3):
        found = await made.write(s3, BUCKET, made.small(), 1)
        key = f"{found.tables['dim_date'].prefix}part-0.parquet"
        for body in (b"", b"PAR1", b"x" * 100_000, b"PAR1" + b"\xff" * 8 + b"PAR1"):
            await s3.put(BUCKET, key, body)
            with pytest.raises(DataAtFault, match=key):
                await loading.load()


async def test_digests_that_are_missing_are_missed_before_anything_is_begun() -> None:
    async with staged(Scripted([])) as (loading, stub, s3):
        found = await made.write(s3, BUCKET, made.small(), 1)
        await s3.delete(BUCKET, f"exports/{found.run}/digests/part-0.parquet")
        with pytest.raises(DataAtFault, match="the export tells of digests"):
            await loading.load()
        assert len(stub.batches) == 2


async def test_a_file_of_many_row_groups_is_held_and_read_whole() -> None:
    """Its footer is longer than what is fetched at first."""
    async with staged(Scripted([])) as (loading, _, s3):
        star = made.small()
        star.put("dim_date", *(made.day(number) for number in range(400)))
        found = await made.write(s3, BUCKET, star, 1)
        key = f"{found.tables['dim_date'].prefix}part-0.parquet"
        body = made.encode(star.rows("dim_date"), made.schema("dim_date"), group_rows=1)
        assert int.from_bytes(body[-8:-4], "little") > 64 * 1024
        await s3.put(BUCKET, key, body)
        assert len((await loading.load()).loaded) == 1
        copy = Copy("dim_date", BUCKET, found.tables["dim_date"].prefix)
        lines = b"".join([lines async for lines in loading.files.rows(copy)]).splitlines()
    assert len(lines) == 400
    assert lines[0] == b"20101201,2010-12-01,2010,4,12,1,2010,48,3,false"
