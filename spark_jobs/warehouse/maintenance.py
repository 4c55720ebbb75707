"""Keeps the lake small and its reads quick; changes no row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from spark_jobs import tables
from spark_jobs.objects import Objects
from spark_jobs.options import CATALOG
from spark_jobs.progress import Progress
from spark_jobs.warehouse import export, runs
from spark_jobs.warehouse.branches import MAIN
from spark_jobs.warehouse.lake import LOADED_OBJECTS, Lake
from spark_jobs.warehouse.publication import PUBLISHING, TABLES, Publication
from spark_jobs.warehouse.settings import WarehouseSettings

_KEEP_SNAPSHOTS = 5
_LEFT_OVER = timedelta(days=1)
"""After which a run that was not announced is not at work any more."""


def maintain(
    lake: Lake, objects: Objects, settings: WarehouseSettings, progress: Progress, now: datetime | None = None
) -> dict[str, Any]:
    """Finish what is unfinished, drop what runs left behind, compact, expire, remove orphans and old exports.

    Args:
        now: in UTC; what is kept is counted back from it.

    Returns:
        what was done, for `--json`.
    """
    now = now or datetime.now(UTC)
    lake.create()
    publication = Publication(lake, objects)
    finished = publication.finish_announced(progress.say)
    with progress.phase("left over"):
        left_over = _drop_left_over(publication, now - _LEFT_OVER)
    done = {}
    for table in TABLES:
        with progress.phase(table):
            done[table] = _maintain(lake, publication, table, settings, now)
    with progress.phase("exports"):
        removed = _drop_exports(objects, now - timedelta(days=settings.keep_exports_days), now - _LEFT_OVER)
    return {
        "finished": finished,
        "left_over_runs": left_over,
        "tables": done,
        "exports_removed": removed,
        "phases_s": progress.phases_s,
    }


def _drop_left_over(publication: Publication, before: datetime) -> list[str]:
    """Drop the branches of runs that died before they were announced."""
    dropped = set()
    for table in TABLES:
        branches = publication.branches(table)
        for branch in branches.names():
            run = runs.of_branch(branch)
            if run is not None and runs.began(run) < before:
                branches.drop(branch)
                dropped.add(run)
    return sorted(dropped)


def _maintain(
    lake: Lake, publication: Publication, table: str, settings: WarehouseSettings, now: datetime
) -> dict[str, int]:
    if publication.branches(table).head(MAIN) is None:
        return {"files_rewritten": 0, "files_written": 0, "files_expired": 0, "orphans_removed": 0}
    rewritten = _call(lake, "rewrite_data_files", table, "strategy => 'sort'" if _sorted(table) else "")
    if table == LOADED_OBJECTS:
        # The newest run is published: from here on `publishing` is where everybody is, so that expiry may cut the way
        # between the two. A run that is under way is overtaken by it.
        publication.branches(table).follow(PUBLISHING, MAIN)
    old = now - timedelta(days=settings.keep_snapshots_days)
    expired = _call(
        lake, "expire_snapshots", table, f"older_than => {_instant(old)}, retain_last => {_KEEP_SNAPSHOTS}"
    )
    # By the clock of S3, whatever `now` is: younger files may be of a load that is under way.
    orphans = datetime.now(UTC) - timedelta(days=settings.keep_orphans_days)
    removed = _call(
        lake, "remove_orphan_files", table, f"older_than => {_instant(orphans)}, prefix_listing => true"
    )
    return {
        "files_rewritten": rewritten[0].rewritten_data_files_count,
        "files_written": rewritten[0].added_data_files_count,
        "files_expired": expired[0].deleted_data_files_count,
        "orphans_removed": len(removed),
    }


def _sorted(table: str) -> bool:
    return bool(tables.rendered(table)["sorted_by"])


def _call(lake: Lake, procedure: str, table: str, arguments: str) -> list[Any]:
    database, _ = tables.place(table, lake.settings)
    name = f"{database.removeprefix(f'{CATALOG}.')}.`{table.partition('.')[2]}`"
    listed = f"table => '{name}'" + (f", {arguments}" if arguments else "")
    return list(lake.spark.sql(f"CALL {CATALOG}.system.{procedure}({listed})").collect())


def _instant(at: datetime) -> str:
    return f"TIMESTAMP '{at.strftime('%Y-%m-%d %H:%M:%S+00:00')}'"


def _drop_exports(objects: Objects, old: datetime, left_over: datetime) -> list[str]:
    """Remove exports that are old, but for the newest, and those of runs that were never announced."""
    keys: dict[str, list[str]] = {}
    for one in objects.list(export.PREFIX):
        keys.setdefault(one.key.removeprefix(export.PREFIX).partition("/")[0], []).append(one.key)
    counting = export.documented(key for found in keys.values() for key in found)
    newest = max(counting, default=None)
    gone = []
    for run, found in sorted(keys.items()):
        try:
            began = runs.began(run)
        except ValueError:
            continue  # none of ours
        if run != newest and began < (old if run in counting else left_over):
            # The document first: an export without it does not count, one that lost files would.
            objects.delete(sorted(found, key=lambda key: key != export.document_key(run)))
            gone.append(run)
    return gone
