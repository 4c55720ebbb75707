"""The two jobs that `bench/flink_alarm.py` compares over one file: `alarm`, and a count in SQL. Runs in .venv-flink.

Both go on after the end of the file, so that their figures can be read until nothing moves any more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flink_jobs import properties, runtime, tables
from flink_jobs.order_rate_alarm import job
from flink_jobs.properties import Properties

_COUNT = """
INSERT INTO counts
SELECT country, SUBSTRING(ordered_at, 1, 16), COUNT(DISTINCT source || '/' || order_id)
FROM orders WHERE kind = 'sale' GROUP BY country, SUBSTRING(ordered_at, 1, 16)
"""


def main(who: str, folder: Path) -> None:
    """Run one of the two until it is ended."""
    set_in_code = {**job.OPTIONS, "pipeline.name": who} if who == "alarm" else {"pipeline.name": who}
    environment, session = runtime.environment(set_in_code, properties.cluster_options())
    path = (folder / "orders").as_uri()
    options = {"connector": "filesystem", "path": path, "source.monitor-interval": "1 s"}
    if who == "alarm":
        session.execute_sql(tables.create("orders", tables.RAW, {**options, **tables.RAW_FORMAT}))
        for stream in (job.ALARMS, job.LETTERS):
            session.execute_sql(tables.create(stream, tables.columns(stream), {"connector": "blackhole"}))
        groups = {"baselines": {"path": (folder / "baselines").as_uri()}, "rules": {"threshold_count": "0"}}
        job.connect(session, Properties(groups), "orders")
        runtime.name_operators(environment)
        runtime.run(environment, who, here=True)
        return
    session.execute_sql(tables.create("orders", tables.columns("orders"), {**options, "format": "json"}))
    columns = "country STRING, `minute` STRING, orders BIGINT"
    session.execute_sql(tables.create("counts", columns, {"connector": "blackhole"}))
    session.execute_sql(_COUNT).wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
