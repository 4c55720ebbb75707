"""The two jobs that `bench/flink_alarm.py` compares over one file: `alarm`, and its counting in SQL. For .venv-flink.

The SQL counts what the alarm's learned rule counts, and no more: each order once, in windows of ten minutes that begin
each minute, in all and by country. It reads the five fields that this takes, skips the lines, holds no record against
its contract, drops what comes after its watermark and judges nothing.

Both go on after the end of the file, so that their figures can be read until nothing moves any more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flink_jobs import properties, runtime, tables
from flink_jobs.order_rate_alarm import job
from flink_jobs.properties import Properties

_ORDERS = """
source STRING, order_id STRING, country STRING, kind STRING, ordered_at TIMESTAMP_LTZ(3),
read_at AS PROCTIME(), WATERMARK FOR ordered_at AS ordered_at - INTERVAL '5' SECOND
"""
_COUNT = """
INSERT INTO counts
SELECT country, window_end, COUNT(*)
FROM TABLE(HOP(TABLE distinct_orders, DESCRIPTOR(ordered_at), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE))
GROUP BY window_start, window_end, GROUPING SETS ((), (country))
"""
_DISTINCT = """
CREATE TEMPORARY VIEW distinct_orders AS
SELECT country, ordered_at FROM (
  SELECT country, ordered_at, ROW_NUMBER() OVER (PARTITION BY source, order_id ORDER BY read_at) AS part
  FROM orders WHERE kind = 'sale'
) WHERE part = 1
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
        groups = {
            "baselines": {"path": (folder / "baselines").as_uri()},
            "rules": {"threshold_count": "100000"},
        }
        job.connect(session, Properties(groups), "orders")
        runtime.name_operators(environment)
        runtime.run(environment, who, here=True)
        return
    as_json = {**options, "format": "json", "json.timestamp-format.standard": "ISO-8601"}
    session.execute_sql(tables.create("orders", _ORDERS, as_json))
    session.execute_sql(_DISTINCT)
    columns = "country STRING, window_end TIMESTAMP(3), orders BIGINT"
    session.execute_sql(tables.create("counts", columns, {"connector": "blackhole"}))
    session.execute_sql(_COUNT).wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
