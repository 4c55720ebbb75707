"""The job on its streams: `run` of `python -m flink_jobs.order_rate_alarm`, and the service's main."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pyflink.common import Row, Types
from pyflink.datastream import DataStream
from pyflink.table import StreamTableEnvironment
from pyflink.table.expressions import col, lit

from flink_jobs import properties, runtime, tables
from flink_jobs.order_rate_alarm import topology
from flink_jobs.properties import Properties

NAME = "order_rate_alarm"
ALARMS, LETTERS = "order-rate-alarms", "rejected"
# Thread mode: the Python functions run in the JVM's own process, so that no record waits for a bundle to fill. Objects
# are reused: nothing of ours changes a record once it was handed on, and a copy before each operator costs.
OPTIONS = {
    "pipeline.name": NAME,
    "python.execution-mode": "thread",
    "pipeline.auto-generate-uids": "false",
    "pipeline.object-reuse": "true",
}
_CLOCK = {"connector": "datagen", "rows-per-second": "1", "fields.at.kind": "random"}


def main(packages: Path | None = None) -> None:
    """Read what the job is told, build it and submit it.

    Args:
        packages: folder of our packages, for the Python of workers that would not find them.

    Raises:
        WrongProperties: what it is told cannot be used.
    """
    told, cluster = properties.load(), properties.cluster_options()
    environment, session = runtime.environment(OPTIONS, cluster)
    if packages is not None:
        environment.add_python_file(str(packages))
    build(session, told)
    runtime.name_operators(environment)
    runtime.run(environment, NAME, here=bool(cluster))


def build(session: StreamTableEnvironment, told: Properties) -> None:
    """Make the tables and put the job between them."""
    arn = told.required("orders", "stream.arn")
    session.execute_sql(tables.source("orders", _options(told, "orders")))
    for stream in (ALARMS, LETTERS):
        told.required(stream, "stream.arn")
        session.execute_sql(tables.sink(stream, stream, _options(told, stream)))
    connect(session, told, tables.stream_name(arn))


def connect(session: StreamTableEnvironment, told: Properties, stream: str) -> None:
    """Put the job between the tables `orders`, `order-rate-alarms` and `rejected`.

    Args:
        stream: the physical name of the stream of orders, for dead letters.
    """
    # The key is a column, so that no function of ours has to give it.
    orders = session.from_path("orders").select(lit(topology.EVERYTHING), col("data"))
    records = session.to_data_stream(orders)
    alarms, letters = topology.wire(records, _control(session, told), stream, told.group("rules"))
    statements = session.create_statement_set()
    statements.add_insert(f"`{ALARMS}`", session.from_data_stream(alarms))
    statements.add_insert(f"`{LETTERS}`", session.from_data_stream(letters))
    statements.attach_as_datastream()


def _control(session: StreamTableEnvironment, told: Properties) -> DataStream:
    """An empty text each second; and each file that appears in the folder of baselines, one line each."""
    session.execute_sql(tables.create("clock", "`at` BOOLEAN", _CLOCK))
    ticks = _texts(session, "clock", lambda _: "")
    options = _baselines(told.group("baselines"))
    if not options:
        return ticks
    session.execute_sql(tables.create("baselines", "`document` STRING", options))
    return ticks.union(_texts(session, "baselines", lambda row: str(row[0])))


def _texts(session: StreamTableEnvironment, table: str, read: Callable[[Row], str]) -> DataStream:
    rows = session.to_data_stream(session.from_path(table))
    name = f"{table} as text"
    return rows.map(read, Types.STRING()).name(name).uid(name).set_parallelism(1)


def _baselines(group: Mapping[str, str]) -> dict[str, str]:
    if not group.get("path"):
        return {}
    return {
        "connector": "filesystem",
        "path": group["path"],
        "source.monitor-interval": group.get("interval", "10 s"),
        "format": "raw",
    }


def _options(told: Properties, group: str) -> dict[str, str]:
    """The options of one stream's table: those of every stream, then its own."""
    return {**told.group("kinesis"), **told.group(group)}
