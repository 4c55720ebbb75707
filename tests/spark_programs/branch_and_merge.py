"""A load in small: lines appended, others merged on a branch, the branch published; and one that comes too late.

Run by the Python that holds Spark: `branch_and_merge.py <folder>`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from services.kernel.core import settings
from spark_jobs import runtime
from spark_jobs.options import CATALOG
from spark_jobs.settings import SparkSettings

DECEMBER, JANUARY = datetime(2010, 12, 1, 8, 26, tzinfo=UTC), datetime(2011, 1, 4, 10, tzinfo=UTC)


class Lake:
    """The table of order lines."""

    def __init__(self, session: SparkSession, read: SparkSettings) -> None:
        self._session = session
        self._name = runtime.create(session, "sales.order_lines", read)
        self._procedure_name = f"{read.database('sales')}.order_lines"

    def append(self, *lines: dict[str, Any]) -> None:
        """Add lines to what everybody sees."""
        self._frame(lines).writeTo(self._name).append()

    def branch(self, name: str) -> None:
        """Begin a branch where everybody is."""
        self._session.sql(f"ALTER TABLE {self._name} CREATE BRANCH {name}")

    def merge(self, branch: str, *lines: dict[str, Any]) -> None:
        """Bring lines into a branch: a line that is there gives way to a smaller sequence number alone."""
        self._frame(lines).createOrReplaceTempView("arrived")
        self._session.sql(f"""
            MERGE INTO {self._name}.branch_{branch} AS t USING arrived AS s
            ON t.source = s.source AND t.order_id = s.order_id AND t.line_id = s.line_id
            WHEN MATCHED AND s.sequence_number < t.sequence_number THEN UPDATE SET *
            WHEN NOT MATCHED THEN INSERT *""")

    def publish(self, branch: str) -> str:
        """Let everybody see the branch; where main has moved on, nothing changes and it says so."""
        call = f"CALL {CATALOG}.system.fast_forward('{self._procedure_name}', 'main', '{branch}')"
        try:
            self._session.sql(call).collect()
        except IllegalArgumentException as error:
            return str(error)
        return ""

    def quantities(self, branch: str = "main") -> dict[str, int]:
        """Quantity by line, as a reader of this branch sees it."""
        rows = self._session.sql(f"SELECT line_id, quantity FROM {self._name} VERSION AS OF '{branch}'")  # noqa: S608
        return {row.line_id: row.quantity for row in rows.collect()}

    def _frame(self, lines: Any) -> Any:
        schema = runtime.schema("order_line/1")
        return self._session.createDataFrame(
            [tuple(line[name] for name in schema.names) for line in lines], schema
        )


def line(line_id: str, sequence_number: int, quantity: int, at: datetime = DECEMBER) -> dict[str, Any]:
    """A line of an order."""
    return {
        **dict.fromkeys(runtime.schema("order_line/1").names),
        "source": "shop",
        "order_id": "536365",
        "line_id": line_id,
        "event_id": "0" * 32,
        "kind": "sale",
        "country": "United Kingdom",
        "currency": "GBP",
        "order_ordered_at": at,
        "ordered_at": at,
        "ingested_at": at,
        "stock_code": "85123A",
        "quantity": quantity,
        "unit_price": Decimal("2.55"),
        "arrived_at": at,
        "shard_id": "shardId-000000000000",
        "sequence_number": f"{sequence_number:056}",
        "sub_sequence": 0,
    }


def main(folder: Path) -> None:
    """Do it, and write what readers saw at each step."""
    read = settings.load(SparkSettings)
    session = runtime.session("branches", read)
    lake = Lake(session, read)
    result: dict[str, Any] = {}
    lake.append(line("1", 10, 1), line("2", 20, 1), line("3", 30, 1, JANUARY))
    lake.branch("audit_one")
    lake.branch("audit_two")
    lake.merge("audit_one", line("1", 11, 7), line("2", 19, 7), line("4", 40, 7, JANUARY))
    result["before"] = [lake.quantities(), lake.quantities("audit_one")]
    result["published"] = lake.publish("audit_one")
    result["after"] = lake.quantities()
    lake.merge("audit_two", line("5", 50, 9))
    result["too_late"] = lake.publish("audit_two")
    result["in_the_end"] = lake.quantities()
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    session.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
