"""A load: what has landed since the last one goes into the lake, is audited on a branch, and shown as a whole.

`Load` has the steps one by one, so that whoever takes over from a run that died can be tried out between any two.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame

from spark_jobs import runtime
from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.warehouse import arrivals, export, landing, line_audit, merge, runs, star
from spark_jobs.warehouse.arrivals import Arrival, Content
from spark_jobs.warehouse.branches import MAIN
from spark_jobs.warehouse.errors import Overtaken, Unfit, translated
from spark_jobs.warehouse.lake import LOADED_OBJECTS, ORDER_LINES, Lake
from spark_jobs.warehouse.line_audit import Totals
from spark_jobs.warehouse.merge import Changes
from spark_jobs.warehouse.publication import RUN, Publication, staged_key


def load(lake: Lake, objects: Objects, progress: Progress) -> dict[str, Any]:
    """Load once.

    Returns:
        what was done, for `--json`.

    Raises:
        Unfit: objects, lines or the star that is made of them are at fault; everybody sees what they saw before.
        Overtaken: another load was published meanwhile; everybody sees that one.
    """
    with progress.phase("tables"):
        lake.create()
    publication = Publication(lake, objects)
    with progress.phase("finish"):
        finished = publication.finish_announced(progress.say)
    one = Load(lake, objects, progress, publication)
    result = {"finished": finished, **one.nothing()}
    if one.find():
        try:
            one.prepare()
            one.announce()
        except Exception as error:
            known = translated(error)
            if isinstance(known, Unfit | Overtaken):
                one.give_up()
                raise known from error
            raise
        one.finish()
        result |= one.result()
    return {**result, "phases_s": progress.phases_s}


class Load:
    """One run."""

    def __init__(self, lake: Lake, objects: Objects, progress: Progress, publication: Publication) -> None:
        self.run = ""
        self._main = lake.at(None)
        self._objects = objects
        self._progress = progress
        self._publication = publication
        self._arrivals: list[Arrival] = []
        self._began = datetime.now(UTC)
        self._at: int | None = None
        self._loaded = 0
        self._published = False
        self._told: dict[str, Any] = {}

    @property
    def lake(self) -> Lake:
        """The tables at this run's branch."""
        return self._main.at(runs.branch(self.run))

    def find(self) -> bool:
        """Find what has landed and is not loaded; whether there is anything.

        Raises:
            Unfit: there is something in the landing that is no object of it.
        """
        with self._progress.phase("list"):
            self._at = self._publication.branches(LOADED_OBJECTS).head(MAIN)
            loaded, last = self._loaded_by_now()
            listed = [Arrival(one.key, one.size_bytes) for one in self._objects.list(arrivals.PREFIX)]
        self._arrivals, self._loaded = arrivals.new(listed, loaded), len(loaded)
        self._progress.say(f"{len(listed)} objects in the landing, {len(self._arrivals)} of them new")
        faults = arrivals.foreign(self._arrivals)
        if faults:
            raise Unfit(faults)
        self.run = runs.name(last, self._began, secrets.token_hex(4))
        return bool(self._arrivals)

    def prepare(self) -> None:
        """Write everything to the run's branches, audit it, and write the export that does not count yet."""
        with self._progress.phase("read"):
            landed, found = landing.read(self._main, self._arrivals)
        with self._progress.phase("branch"):
            self._publication.begin(self.run, self._at)
        changed = self._merge(landed, found)
        if changed:
            self._stage(changed)
        changed.rows.sparkSession.catalog.clearCache()

    def announce(self) -> None:
        """Decide that this run is published.

        Raises:
            Overtaken: another one was since this one began.
        """
        with self._progress.phase("announce"):
            self._publication.announce(self.run)

    def finish(self) -> None:
        """Show to everybody what was announced."""
        with self._progress.phase("publish"):
            self._publication.finish(self.run)
        self._published = True
        self._progress.say(f"{self.run} is published")

    def give_up(self) -> None:
        """Leave nothing of this run."""
        with self._progress.phase("give up"):
            self._publication.give_up(self.run)

    def nothing(self) -> dict[str, Any]:
        """What is told of a run that had nothing to do."""
        zeros = dict.fromkeys(("objects", "read_lines", "new_lines", "replaced_lines", "conflicts"), 0)
        return {"run": None, **zeros, "tables": {}, "export": None, "published": False}

    def result(self) -> dict[str, Any]:
        """What is told of this run."""
        return {"run": self.run, "objects": len(self._arrivals), **self._told, "published": self._published}

    def _merge(self, landed: DataFrame, found: dict[str, Content]) -> Changes:
        lines = sum(one.lines for one in found.values())
        self._progress.say(f"{lines} lines in {len(found)} objects")
        with self._progress.phase("decide"):
            before = line_audit.totals(self.lake)
            known = self._known(landed, lines, before)
            changed = merge.changes(landed, known)
        self._progress.say(f"{changed.new} new lines, {changed.replaced} that take another's place")
        with self._progress.phase("merge"):
            self._note_objects(found)
            if changed:
                merge.merge(self.lake, changed)
        with self._progress.phase("audit lines"):
            after = line_audit.totals(self.lake)
            conflicts = self._audit(landed, known, changed, before, after, lines)
        self._told = {
            "read_lines": lines,
            "new_lines": changed.new,
            "replaced_lines": changed.replaced,
            "conflicts": conflicts,
            "tables": {ORDER_LINES: _table(changed.new + changed.replaced, after.lines)},
            "export": None,
        }
        return changed

    def _known(self, landed: DataFrame, lines: int, before: Totals) -> DataFrame:
        snapshot = self._publication.branches(ORDER_LINES).head(runs.branch(self.run))
        if snapshot is None or not before.lines:
            return merge.nothing_known(self.lake)
        return merge.known(self.lake, snapshot, landed, lines)

    def _audit(
        self, landed: DataFrame, known: DataFrame, changed: Changes, before: Totals, after: Totals, lines: int
    ) -> int:
        """Judge lines and objects at the branch; returns the number of conflicts."""
        faults, conflicts = line_audit.lines(self.lake, landed, known, whole=lines * 4 > after.lines)
        faults += line_audit.sums(before, changed, after) + line_audit.fresh(changed, after)
        faults += line_audit.objects(self.lake, self._arrivals, self._loaded)
        if faults:
            raise Unfit(faults)
        if after.newest:
            age_s = (datetime.now(UTC) - after.newest).total_seconds()
            self._progress.say(f"the newest line arrived {age_s:.0f} s ago")
        landed.unpersist()
        known.unpersist()
        return conflicts

    def _stage(self, changed: Changes) -> None:
        with self._progress.phase("star"):
            staged = star.stage(self.lake, changed.rows, self.run)
        with self._progress.phase("audit star"):
            faults = star.faults(self.lake)
            if faults:
                raise Unfit(faults)
        with self._progress.phase("export"):
            before = export.newest(one.key for one in self._objects.list(export.PREFIX))
            made = star.stage_export(self.lake, self.run, staged, export.now(), before)
            self._objects.put(staged_key(self.run), made.as_json())
        tables = self._told["tables"]
        tables |= {f"sales.{name}": _table(one.rows_changed, one.total_rows) for name, one in staged.items()}
        self._told["export"] = self.run

    def _loaded_by_now(self) -> tuple[set[str], str | None]:
        """Keys of the loaded objects, and the newest run's name."""
        if self._at is None:
            return set(), None
        table = self._main.spark.read.option("snapshot-id", self._at).table(self._main.name(LOADED_OBJECTS))
        rows = table.select("object_key", "load_id").collect()
        return {row.object_key for row in rows}, max((row.load_id for row in rows), default=None)

    def _note_objects(self, found: dict[str, Content]) -> None:
        """Write which objects this run takes in, and its name into the snapshot, for whoever has to finish it."""
        at = self._began.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = [
            {
                "object_key": one.key,
                "size_bytes": one.size_bytes,
                "lines": found[one.key].lines,
                "load_id": self.run,
                "loaded_at": at,
            }
            for one in self._arrivals
        ]
        frame = runtime.rows(self._main.spark, "loaded_object/1", rows)
        writer = frame.coalesce(1).writeTo(self.lake.name(LOADED_OBJECTS))
        writer.option("distribution-mode", "none").option(f"snapshot-property.{RUN}", self.run).append()


def _table(rows_changed: int, total_rows: int) -> dict[str, int]:
    return {"rows_changed": rows_changed, "total_rows": total_rows}
