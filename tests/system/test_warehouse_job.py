"""The warehouse's job on Glue and S3: every line once, whatever comes, in whatever order, and whoever dies."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.local import spark as local_spark
from deploy.local.layout import ROOT
from services.kernel.adapters.s3 import S3
from tests import landing_objects, spark
from tests.engines import Engines, local_environment
from tests.landing_objects import Row, row

# One session of Spark does most of the work, on a machine that may be busy.
pytestmark = pytest.mark.timeout(900)

NOVEMBER, DECEMBER = "2010-11-30T23:59:59.999Z", "2010-12-01T08:26:00.000Z"
JANUARY, MARCH = "2011-01-04T10:00:00.000Z", "2011-03-01T00:00:00.000Z"
GUEST = {"customer_id": None, "country": "France", "description": None}

FIRST: Sequence[Sequence[Row]] = (
    [
        row("kept", 10),
        row("repeated", 11),
        row("conflict-then-smaller", 20, quantity=2),
        row("moves", 21, ordered_at=DECEMBER, quantity=3),
        row("january", 22, ordered_at=JANUARY, order_id="540000"),
    ],
    [row("repeated", 11), row("conflict-within", 31, quantity=9), row("conflict-within", 30, quantity=5)],
    [row("guest", 40, ordered_at=JANUARY, order_id="540001", **GUEST)],
)
SECOND: Sequence[Sequence[Row]] = (
    [
        row("conflict-then-smaller", 5, quantity=7),
        row("moves", 6, ordered_at=MARCH, quantity=4),
        row("kept", 90, quantity=99),
    ],
    [row("late", 91, ordered_at=NOVEMBER, order_id="530000")],
    [row("cancelled", 92, order_id="C536365", kind="cancellation", quantity=-1, unit_price="1.9999")],
)
THIRD: Sequence[Sequence[Row]] = (
    [row("third", 120, order_id="540002", ordered_at=JANUARY, country="Norway", quantity=2_147_483_647)],
)
REPEATED: Sequence[Sequence[Row]] = (
    [row("kept", 10), row("third", 121, order_id="540002", ordered_at=MARCH)],
)
LOST: Sequence[Sequence[Row]] = ([row("found", 200, order_id="540009")],)
NULL = {**row("without-a-country", 210), "country": None}


def encoded(batch: Sequence[Sequence[Row]], **how: Any) -> dict[str, str]:
    """The objects of a batch by key, bytes in base64."""
    return {
        landing_objects.key(rows): base64.b64encode(landing_objects.encode(rows, **how)).decode()
        for rows in batch
    }


def objects() -> dict[str, dict[str, str]]:
    """By batch, what is to land."""
    torn = landing_objects.encode([row("torn", 220)])[:-20]
    return {
        "first": encoded(FIRST),
        "second": encoded(SECOND, added={"gift_wrap": "red"}),  # a column of a newer writer
        "third": encoded(THIRD),
        "repeated": encoded(REPEATED),
        "lost": encoded(LOST),
        "foreign": {f"{landing_objects.PREFIX}notes.txt": base64.b64encode(b"hello").decode()},
        "torn": {landing_objects.key([row("torn", 220)]): base64.b64encode(torn).decode()},
        "nulls": encoded([[NULL]], careless=True),
    }


def expected() -> dict[str, tuple[int, str, str]]:
    """By line what the lake has in the end, by the rule alone: the smallest position wins."""
    found: dict[str, Row] = {}
    for one in sorted(
        (one for batch in (FIRST, SECOND, THIRD, REPEATED) for rows in batch for one in rows),
        key=lambda one: (one["sequence_number"], one["sub_sequence"]),
    ):
        found.setdefault(one["line_id"], one)
    return {name: (one["quantity"], one["unit_price"], one["ordered_at"][:19]) for name, one in found.items()}


@pytest.fixture(scope="module")
async def result(aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program told: one session of Spark for all tests of this module that need one."""
    folder = tmp_path_factory.mktemp("loads")
    (folder / "objects.json").write_text(json.dumps(objects()), encoding="utf-8")
    return await spark.run("warehouse_loads.py", aws_endpoint, "loads", folder)


async def test_every_line_is_there_once_and_the_first_of_a_conflict_wins(result: Any) -> None:
    lines = [json.loads(text) for text in result["rows"]["sales.order_lines"]]
    found = {
        line["line_id"]: (
            line["quantity"],
            Decimal(line["unit_price"]),
            line["ordered_at"][:19].replace(" ", "T"),
        )
        for line in lines
    }

    assert len(lines) == len(found)
    assert found == {name: (count, Decimal(price), at) for name, (count, price, at) in expected().items()}
    assert len(result["rows"]["sales.fact_order_lines"]) == len(lines)
    first, second = result["first"], result["second"]
    assert [first[name] for name in ("objects", "read_lines", "new_lines", "replaced_lines")] == [3, 9, 7, 0]
    assert [second[name] for name in ("objects", "read_lines", "new_lines", "replaced_lines")] == [3, 5, 2, 2]
    assert (first["conflicts"], second["conflicts"]) == (1, 3)
    assert (first["published"], first["export"]) == (True, first["run"])


async def test_rows_do_not_depend_on_the_batches(result: Any) -> None:
    assert result["rows_at_once"] == result["rows"]


async def test_the_same_landing_again_changes_nothing(result: Any) -> None:
    assert result["again"]["published"] is False
    assert result["again"]["run"] is None
    assert result["repeated"]["new_lines"] + result["repeated"]["replaced_lines"] == 0
    assert (result["repeated"]["read_lines"], result["repeated"]["export"]) == (2, None)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ("foreign", "landing: a key that is no landing object's: 1 (landing/orders/v1/notes.txt)"),
        ("torn", landing_objects.key([row("torn", 220)])),
        ("nulls", f"{landing_objects.key([NULL])}: country in 1 rows"),
        ("lost", "sales.order_lines: a line that landed is not there"),
    ],
)
async def test_what_is_at_fault_is_named_and_nothing_of_it_is_seen(
    result: Any, batch: str, said: str
) -> None:
    if batch == "lost":
        assert any("sum of quantity" in fault or "lines as before" in fault for fault in result["lost"])
    else:
        assert any(said in fault for fault in result[batch])
    assert result["seen_after_refusals"] == result["seen"]


async def test_files_of_other_months_are_neither_scanned_nor_written(result: Any) -> None:
    before, after = result["files"]
    december, january, march = "491", "492", "494"

    assert before.keys() == {december, january}
    assert after[january] == before[january]
    assert not set(after[december]) & set(before[december])
    assert march in after
    (scanned,) = result["scanned"]
    assert max(scanned) == len(before[december])


async def test_of_two_runs_one_is_overtaken_and_leaves_nothing(result: Any) -> None:
    assert "another run was published" in result["overtaken"]
    assert all(
        set(names) <= {"main", "publishing", f"audit_{result['dead']}"}
        for names in result["branches"].values()
    )


async def test_a_publication_that_died_after_any_step_is_finished_by_the_next(result: Any) -> None:
    assert set(result["unfinished"]) == {result["announced"]}
    assert len(result["unfinished"]) == 8
    finished = result["finished_by_the_next"]
    assert (finished["finished"], finished["run"]) == (result["announced"], None)
    assert f"exports/{result['announced']}/export.json" in result["exports"]


async def test_an_export_names_the_one_before_it(result: Any) -> None:
    runs = [result["first"]["run"], result["second"]["run"], result["announced"]]
    assert [result["documents"][run]["after"] for run in runs] == [None, *runs[:-1]]


async def test_all_rows_can_be_handed_over_again(result: Any) -> None:
    run = result["whole"]["export"]
    document = result["documents"][run]
    assert run[:9] == result["repeated"]["run"][:9]
    assert (document["after"], {one["whole"] for one in document["tables"].values()}) == (None, {True})
    rows = {f"sales.{name}": one["rows"] for name, one in document["tables"].items()}
    assert rows == {name: len(result["rows"][name]) for name in rows}


async def test_maintenance_changes_no_row_and_drops_what_a_dead_run_left(result: Any) -> None:
    assert result["rows_after_maintenance"] == result["rows"]
    maintained = result["maintained"]
    assert maintained["left_over_runs"] == [result["dead"]]
    assert set(maintained["exports_removed"]) == {result["first"]["run"], result["second"]["run"]}
    assert all(
        set(names) <= {"main", "publishing"} for names in result["branches_after_maintenance"].values()
    )
    assert maintained["tables"]["sales.order_lines"]["files_expired"] > 0
    assert result["check"]["tables"]["sales.order_lines"]["total_rows"] == len(expected())
    assert (result["check"]["objects_waiting"], result["check"]["unfinished"]) == (0, None)


class Job:
    """The command as a process."""

    def __init__(self, aws: str, namespace: str, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **local_environment(Engines("", "", "", aws=aws)),
            **local_spark.environment(folder / "spark"),
            "HOME": str(folder),
            "CADABRA_NAMESPACE": namespace,
        }

    async def start(self, command: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            local_spark.PYTHON,
            "-m",
            "spark_jobs.warehouse",
            command,
            "--json",
            env=self._environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def run(self, command: str) -> tuple[int, Any, str]:
        """Run a command to its end; returns its exit code, what it printed as JSON, and what it told."""
        process = await self.start(command)
        out, told = await process.communicate()
        return process.returncode or 0, json.loads(out) if out else None, told.decode()


async def test_a_driver_that_is_killed_is_repaired_by_the_next_load(
    aws_endpoint: str, namespace: str, tmp_path: Path
) -> None:
    bucket = f"{namespace}-lake"
    await spark.make_bucket(aws_endpoint, bucket)
    async with S3.open(aws_endpoint, "us-east-1") as s3:
        for key, body in encoded(FIRST).items():
            await s3.put(bucket, key, base64.b64decode(body))
    job = Job(aws_endpoint, namespace, tmp_path)

    process = await job.start("load")
    assert process.stderr is not None
    async with asyncio.timeout(200):
        while b"star ..." not in (line := await process.stderr.readline()):
            assert line, "it ended before its star"
    kill_all(process)
    await process.wait()

    code, told, said = await job.run("load")
    assert code == 0, said
    assert (told["new_lines"], told["published"]) == (7, True)
    code, told, said = await job.run("check")
    assert code == 0, said
    assert told["tables"]["sales.order_lines"] == {"total_rows": 7}


def kill_all(process: asyncio.subprocess.Process) -> None:
    """End the driver and its JVM at once."""
    os.killpg(process.pid, signal.SIGKILL)
