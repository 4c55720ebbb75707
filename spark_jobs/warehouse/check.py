"""Judges what everybody sees, row by row, and changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.warehouse import arrivals, line_audit, star
from spark_jobs.warehouse.arrivals import Arrival
from spark_jobs.warehouse.audit import Fault
from spark_jobs.warehouse.errors import Unfit
from spark_jobs.warehouse.lake import LOADED_OBJECTS, ORDER_LINES, STAR, Lake
from spark_jobs.warehouse.publication import Publication


def check(lake: Lake, objects: Objects, progress: Progress) -> dict[str, Any]:
    """Audit the whole lake.

    Returns:
        counts, what waits to be loaded, and the run that is announced and not finished, for `--json`.

    Raises:
        Unfit: something is wrong; the message says which rows.
    """
    seen = lake.at(None)
    seen.create()
    with progress.phase("list"):
        listed = [Arrival(one.key, one.size_bytes) for one in objects.list(arrivals.PREFIX)]
        loaded = [(row.object_key, row.lines) for row in seen.read(LOADED_OBJECTS).collect()]
        waiting = arrivals.new(listed, {key for key, _ in loaded})
    with progress.phase("audit lines"):
        totals = line_audit.totals(seen)
        faults = [*line_audit.unique(seen), *_objects([key for key, _ in loaded]), *arrivals.foreign(waiting)]
    with progress.phase("audit star"):
        faults += star.faults(seen)
    if faults:
        raise Unfit(faults)
    age_s = None if totals.newest is None else (datetime.now(UTC) - totals.newest).total_seconds()
    return {
        "tables": {
            name: {"total_rows": seen.read(name).count()} for name in (ORDER_LINES, *STAR, LOADED_OBJECTS)
        },
        "lines": totals.lines,
        "quantity": totals.quantity,
        "amount": str(totals.amount),
        "newest_arrived_s_ago": age_s,
        "objects_waiting": len(waiting),
        "oldest_waiting": min((one.key for one in waiting), default=None),
        "unfinished": Publication(seen, objects).unfinished(),
        "phases_s": progress.phases_s,
    }


def _objects(keys: list[str]) -> list[Fault]:
    doubled = sorted(key for key, times in Counter(keys).items() if times > 1)
    return [Fault("an object more than once", LOADED_OBJECTS, len(doubled), doubled[:10])] if doubled else []
