"""Loads of all kinds over one small lake, and one over a second lake that gets everything at once.

Run by the Python that holds Spark: `warehouse_loads.py <folder>`; the folder holds `objects.json`, by batch the key of
each object and its bytes in base64. A run that dies is one whose next step is never done: what it left in S3 and Glue
is all that anybody else has of it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.kernel.adapters.s3 import S3
from services.kernel.core import settings
from spark_jobs import runtime
from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.warehouse import export, merge
from spark_jobs.warehouse.check import check
from spark_jobs.warehouse.errors import Overtaken, Unfit, translated
from spark_jobs.warehouse.handing_over import export_whole
from spark_jobs.warehouse.lake import LOADED_OBJECTS, ORDER_LINES, STAR, Lake
from spark_jobs.warehouse.load import Load, load
from spark_jobs.warehouse.maintenance import maintain
from spark_jobs.warehouse.merge import Changes
from spark_jobs.warehouse.publication import TABLES, Publication
from spark_jobs.warehouse.settings import WarehouseSettings

ORDER_LINE_MERGE = merge.merge


class Stage:
    """One lake and its landing."""

    def __init__(self, lake: Lake, batches: dict[str, dict[str, str]]) -> None:
        self.lake = lake
        self.objects = Objects(lake.settings)
        self.publication = Publication(lake, self.objects)
        self.progress = Progress()
        self._batches = batches

    def land(self, *batches: str) -> None:
        """Put batches into the landing."""

        async def put() -> None:
            async with S3.open(self.lake.settings.s3_endpoint, self.lake.settings.region) as s3:
                await s3.create_bucket(self.lake.settings.bucket)
                for batch in batches:
                    for key, body in self._batches[batch].items():
                        await s3.put(self.lake.settings.bucket, key, base64.b64decode(body))

        asyncio.run(put())

    def take_away(self, batch: str) -> None:
        """Remove a batch from the landing."""
        self.objects.delete(self._batches[batch])

    def load(self) -> dict[str, Any]:
        """Load as the command does."""
        return load(self.lake, self.objects, self.progress)

    def refused(self) -> list[str]:
        """Load what must be refused; returns what is said of it."""
        try:
            self.load()
        except Exception as error:
            known = translated(error)
            if not isinstance(known, Unfit):
                raise
            return [str(fault) for fault in known.faults]
        raise AssertionError("it was loaded")

    def begun(self) -> Load:
        """A run that has done everything but announce itself."""
        run = Load(self.lake, self.objects, self.progress, self.publication)
        assert run.find()
        run.prepare()
        return run

    def documents(self) -> dict[str, Any]:
        """By run, its export's document."""
        keys = [one.key for one in self.objects.list(export.PREFIX) if one.key.endswith(export.DOCUMENT)]
        made = [export.parse(self.objects.get(key) or "") for key in keys]
        return {one.run: json.loads(one.as_json()) for one in made}

    def seen(self) -> dict[str, Any]:
        """By table, the snapshot that everybody sees and all branches."""
        found = {}
        for table in TABLES:
            branches = self.publication.branches(table)
            found[table] = [branches.head("main"), branches.names()]
        return found

    def rows(self) -> dict[str, list[Any]]:
        """By table, all rows that everybody sees, as text, in order."""
        return {
            table: sorted(json.dumps(row.asDict(), default=str) for row in self.lake.read(table).collect())
            for table in (ORDER_LINES, *STAR)
        }

    def files(self) -> dict[str, list[str]]:
        """By month, the data files of the order lines that everybody sees."""
        rows = self.lake.spark.sql(
            f"SELECT partition.ordered_at_month AS month, file_path FROM {self.lake.name(ORDER_LINES)}.files"  # noqa: S608
        ).collect()
        found: dict[str, list[str]] = {}
        for row in sorted(rows):
            found.setdefault(str(row.month), []).append(row.file_path)
        return found


class Scanned:
    """Remembers how many data files each scan of the MERGE had, by Iceberg's metrics of the statement."""

    def __init__(self, lake: Lake) -> None:
        self._store = lake.spark._jsparkSession.sharedState().statusStore()
        self._lake = lake
        self.told: list[list[int]] = []

    def merge(self, lake: Lake, changed: Changes) -> None:
        """In the place of `merge.merge`."""
        before = self._executions()
        ORDER_LINE_MERGE(lake, changed)
        lake.spark._jsc.sc().listenerBus().waitUntilEmpty()
        told: list[int] = []
        for execution in range(before, self._executions()):
            told += self._scans(execution)
        self.told.append(told)

    def _executions(self) -> int:
        return int(self._store.executionsList().last().executionId()) + 1

    def _scans(self, execution: int) -> Iterator[int]:
        """Of each scan, how many data files Iceberg planned."""
        found = self._store.execution(execution)
        if found.isEmpty():
            return
        values = self._store.executionMetrics(execution)
        metrics = found.get().metrics()
        for place in range(metrics.size()):
            metric = metrics.apply(place)
            value = values.get(metric.accumulatorId())
            if metric.name() == "number of result data files" and value.isDefined():
                yield int(str(value.get()).replace(",", ""))


def losing_a_line(lake: Lake, changed: Changes) -> None:
    """In the place of `merge.merge`: a MERGE with a bug."""
    ORDER_LINE_MERGE(lake, changed)
    lake.spark.sql(f"DELETE FROM {lake.name(ORDER_LINES)} WHERE line_id = 'kept'")  # noqa: S608


def loads(stage: Stage) -> dict[str, Any]:
    """Two loads with all that may come, the refusals in between, and what was scanned."""
    result: dict[str, Any] = {}
    stage.land("first")
    result["first"] = stage.load()
    result["seen"] = stage.seen()
    result["again"] = stage.load()
    for batch in ("foreign", "torn", "nulls"):
        stage.land(batch)
        result[batch] = stage.refused()
        stage.take_away(batch)
    stage.land("lost")
    merge.merge = losing_a_line
    result["lost"] = stage.refused()
    stage.take_away("lost")
    result["seen_after_refusals"] = stage.seen()

    scanned = Scanned(stage.lake)
    merge.merge = scanned.merge
    result["files"] = [stage.files()]
    stage.land("second")
    result["second"] = stage.load()
    result["files"].append(stage.files())
    result["scanned"] = scanned.told
    merge.merge = ORDER_LINE_MERGE
    return result


def crashes(stage: Stage) -> dict[str, Any]:
    """Two runs at once, a compaction in between, and a publication that dies after each of its steps."""
    result: dict[str, Any] = {}
    stage.land("third")
    dead = Load(stage.lake, stage.objects, stage.progress, stage.publication)
    assert dead.find()
    stage.publication.begin(dead.run, stage.publication.branches(LOADED_OBJECTS).head("main"))
    late, one = stage.begun(), stage.begun()
    compact(stage)
    one.announce()
    try:
        late.announce()
    except Overtaken as error:
        result["overtaken"] = str(error)
        late.give_up()

    steps = len(list(stage.publication.steps(one.run)))
    result["unfinished"] = []
    for count in range(steps):
        finisher = Publication(stage.lake, stage.objects)
        run = finisher.unfinished()
        result["unfinished"].append(run)
        if run:
            for _, step in list(finisher.steps(run))[:count]:
                step()
    result["announced"] = one.run
    result["finished_by_the_next"] = stage.load()
    result["dead"] = dead.run
    result["branches"] = {table: names for table, (_, names) in stage.seen().items()}
    result["exports"] = [found.key for found in stage.objects.list("exports/") if "export.json" in found.key]
    return result


def compact(stage: Stage) -> None:
    """What maintenance does to the order lines that everybody sees, whether it is worth it or not."""
    name = stage.lake.name(ORDER_LINES).removeprefix("lake.")
    stage.lake.spark.sql(
        f"CALL lake.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))"
    ).collect()


def main(folder: Path) -> None:
    """Do it, and write what was told and seen."""
    found = settings.load(WarehouseSettings)
    spark = runtime.session("loads", found)
    batches = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    stage = Stage(Lake(spark, found), batches)
    result = loads(stage) | crashes(stage)
    result["rows"] = stage.rows()
    result["documents"] = stage.documents()
    result["maintained"] = maintain(
        stage.lake, stage.objects, found, stage.progress, datetime.now(UTC) + timedelta(days=40)
    )
    result["rows_after_maintenance"] = stage.rows()
    result["branches_after_maintenance"] = {table: names for table, (_, names) in stage.seen().items()}
    stage.land("repeated")
    result["repeated"] = stage.load()
    result["whole"] = export_whole(stage.lake, stage.objects, stage.progress)
    result["documents"] |= stage.documents()
    result["check"] = check(stage.lake, stage.objects, stage.progress)

    other = Stage(Lake(spark, replace(found, namespace=f"{found.namespace}-other")), batches)
    other.land("first", "second", "third", "repeated")
    result["at_once"] = other.load()
    result["rows_at_once"] = other.rows()
    result["phases_s"] = stage.progress.phases_s
    (folder / "result.json").write_text(json.dumps(result, default=str), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
