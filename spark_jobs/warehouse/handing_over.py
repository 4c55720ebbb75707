"""Hands all rows of the star on, for a warehouse that is new, or that lacks exports which are gone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import functions as f

from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.warehouse import export, runs, star
from spark_jobs.warehouse.errors import Overtaken
from spark_jobs.warehouse.lake import LOADED_OBJECTS, Lake
from spark_jobs.warehouse.publication import PUBLISHING, Publication


def export_whole(lake: Lake, objects: Objects, progress: Progress) -> dict[str, Any]:
    """Write an export of what everybody sees, under the number of the run that showed it.

    Returns:
        its name and the rows of each table, for `--json`; the name is None where nothing was ever loaded.

    Raises:
        Overtaken: a load was announced meanwhile; the export does not count.
    """
    seen = lake.at(None)
    seen.create()
    publication = Publication(seen, objects)
    publication.finish_announced(progress.say)
    announced = publication.branches(LOADED_OBJECTS).head(PUBLISHING)
    shown = seen.read(LOADED_OBJECTS).agg(f.max("load_id").alias("run")).collect()[0].run
    if shown is None:
        return {"export": None, "rows": {}, "phases_s": progress.phases_s}
    run = runs.again(shown, datetime.now(UTC), secrets.token_hex(4))
    with progress.phase("export"):
        made = star.stage_whole_export(seen, run, export.now())
    if publication.branches(LOADED_OBJECTS).head(PUBLISHING) != announced:
        objects.delete(one.key for one in objects.list(export.prefix(run)))
        raise Overtaken(f"a load was announced while {run} was written")
    objects.put(export.document_key(run), made.as_json())
    progress.say(f"{run} holds all rows")
    return {
        "export": run,
        "rows": {name: one.rows for name, one in made.tables.items()},
        "phases_s": progress.phases_s,
    }
