"""Everything between the stream of orders and the warehouse, small and on engines of its own, and who sends to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from contracts import codec
from contracts.order import partition_key
from deploy.local import environment, job, line_tables, lines_compare, processes, spark, stored, warehouse
from deploy.local.figures import LineFacts
from deploy.local.job import Ran
from deploy.local.lines_compare import LineReport
from services.kernel.core.names import bucket_name, database_name
from tests.component.lake_path import LakePath, Line
from tests.component.order_path import until
from tests.engines import Engines, local_environment
from tests.processes import ServiceProcess, start

FAST = {
    "CADABRA_POLL_INTERVAL_S": "0.1",
    "CADABRA_LEASE_TIME_S": "2",
    "CADABRA_CHECKPOINT_INTERVAL_S": "0.1",
    "CADABRA_OBJECT_MAX_AGE_S": "0.5",
}
LANDED_WITHIN_S = 60.0


@dataclass
class SalesStage:
    """One namespace, from its stream to its warehouse.

    Args:
        sent: by the line's identity, what was put first and where; later ones of the same identity are conflicts.
        puts: of records, by their lines' identities.
        said: what the jobs told people.
    """

    path: LakePath
    engines: Engines
    folder: Path
    sent: dict[Line, LineFacts] = field(default_factory=dict)
    puts: dict[Line, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    running: list[ServiceProcess] = field(default_factory=list)

    @property
    def database(self) -> str:
        """The lake's database in the Glue Data Catalog, and the warehouse's schema."""
        return database_name(self.path.namespace)

    async def start(self, name: str, **settings: str) -> ServiceProcess:
        """Start a service and wait until it is ready."""
        own = {
            **local_environment(self.engines),
            **FAST,
            "CADABRA_NAMESPACE": self.path.namespace,
            "CADABRA_RUN_ID": self.engines.run_id,
            "CADABRA_INSTANCE": f"{name}-{len(self.running)}",
            **settings,
        }
        service = await start(name, self.folder, own)
        self.running.append(service)
        return service

    async def send(self, parts: Sequence[codec.Order], **unknown: str) -> None:
        """Put orders into the stream one after another, so that of two contents the first stays.

        Args:
            unknown: fields that a newer writer adds to the order.
        """
        for part in parts:
            record = {**json.loads(codec.encode(part)), **unknown}
            await self.path.put(json.dumps(record).encode(), partition_key(part.source, part.order_id))
            for line in part.lines:
                identity = (part.source, part.order_id, line.line_id)
                self.sent.setdefault(identity, facts_of(part, line))
                self.puts[identity] = self.puts.get(identity, 0) + 1

    async def landed(self, times: int = 1) -> None:
        """Wait until every record is in the landing so often."""

        async def all_there() -> bool:
            found = await self.path.lines()
            return all(found[line] >= puts * times for line, puts in self.puts.items())

        await until(all_there, f"every line is in the landing {times} times", LANDED_WITHIN_S)

    async def stored(self) -> None:
        """Wait until the order store has every line."""

        async def all_there() -> bool:
            parts = await stored.read(self.path.dynamodb, f"{self.path.namespace}-order_history")
            found = {(*key, line) for key, held in parts.items() for line in stored.unite(*key, held).lines}
            return self.sent.keys() <= found

        await until(all_there, "every line is in the order store", LANDED_WITHIN_S)

    async def load(self, kill_at: Callable[[str], bool] = lambda _: False) -> Ran:
        """Run the lake's load.

        Args:
            kill_at: says at which line it and all that it started are ended, as a power cut would.
        """
        pids: list[int] = []

        def hear(line: str) -> None:
            self.said.append(line)
            if kill_at(line):
                for pid in processes.tree(pids[0]):
                    processes.send(pid, 9)

        return await job.run(
            "load", warehouse.commands(False)[warehouse.LOAD], self._jobs(), hear, pids.append
        )

    async def copy(self) -> Ran:
        """Run the warehouse's load."""
        return await job.run(
            "copy", warehouse.commands(False)[warehouse.COPY], self._jobs(), self.said.append
        )

    def _jobs(self) -> dict[str, str]:
        urls = {"aws": self.engines.aws, "postgresql": self.engines.postgresql}
        return {
            **environment.job(self.engines.run_id, self.path.namespace, urls),
            **spark.environment(self.folder / "spark"),
        }

    async def compare(self) -> LineReport:
        """Every place against what was sent, line by line: order store, lake, star and warehouse."""
        parts = await stored.read(self.path.dynamodb, f"{self.path.namespace}-order_history")
        with self.reading() as connection:
            await line_tables.read_lake(connection, self.engines.aws, self.database)
            line_tables.read_warehouse(connection, self.engines.postgresql, self.database, self.folder)
            line_tables.lines(connection)
            faults = line_tables.store(connection, parts)
            line_tables.fill(connection, "raw", self.sent.items())
            connection.execute("ALTER TABLE raw ADD COLUMN certain BOOLEAN DEFAULT true")
            # The order store keeps both contents of a conflict, and readers of it take the first.
            return lines_compare.compare(
                connection, [fault for fault in faults if not fault.endswith("has two contents")]
            )

    async def unknown_of(self, order_id: str) -> list[str | None]:
        """What the lake keeps of an order that its contract does not name, by line."""
        with self.reading() as connection:
            await line_tables.read_lake(connection, self.engines.aws, self.database)
            found = connection.execute(
                "SELECT unknown FROM lake_order_lines WHERE order_id = ? ORDER BY line_id", [order_id]
            ).fetchall()
        return [unknown for (unknown,) in found]

    async def snapshots(self, tables: Sequence[str] = ("order_lines", *line_tables.STAR)) -> dict[str, Any]:
        """The snapshot of each table that everybody sees."""
        return {name: (await self._metadata(name))["current-snapshot-id"] for name in tables}

    async def _metadata(self, table: str) -> dict[str, Any]:
        location = await line_tables.metadata_location(self.engines.aws, self.database, table)
        bucket = bucket_name(self.path.namespace)
        body = await self.path.s3.get(bucket, location.removeprefix(f"s3://{bucket}/"), max_bytes=2**24)
        assert body is not None
        return dict(json.loads(body))

    @contextmanager
    def reading(self) -> Any:
        """A DuckDB over this lake."""
        with line_tables.connect(self.engines.aws, self.folder) as connection:
            yield connection


def facts_of(part: codec.Order, line: codec.OrderLine) -> LineFacts:
    """What a line says, as those who compare have it."""
    return LineFacts(
        line.stock_code,
        line.description,
        line.quantity,
        Decimal(line.unit_price),
        line.ordered_at,
        part.customer_id,
        part.country,
        part.currency,
        part.kind,
    )
