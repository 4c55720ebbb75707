"""The star made in several ways of the same lines, audited with planted faults, exported, and its digests.

Run by the Python that holds Spark: `star.py <folder>`; the folder holds `loads/<branch>/<n>.json`, the lines of each
load, and `odd/<table>.json`, rows that only have to be digested; one document a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr, struct, to_json

from contracts import catalog
from services.kernel.core import settings
from spark_jobs import runtime
from spark_jobs.settings import SparkSettings
from spark_jobs.warehouse import digest, export, star
from spark_jobs.warehouse.lake import ORDER_LINES, STAR, Lake
from spark_jobs.warehouse.star import exported

DIMENSION_FAULTS = (
    "INSERT INTO {dim_country} SELECT * FROM {dim_country} WHERE country = 'France'",
    "INSERT INTO {dim_product} SELECT product_key, 'again', NULL FROM {dim_product} WHERE stock_code = 'A'",
    "INSERT INTO {dim_product} VALUES (17, 'B', 'again')",
    "INSERT INTO {dim_customer} SELECT customer_key, 'stranger', country, valid_from, valid_to, is_current"
    " FROM {dim_customer} WHERE customer_id = 'one'",
    "DELETE FROM {dim_customer} WHERE customer_key = 0",
    "INSERT INTO {dim_customer} VALUES (18, 'nowhere', NULL, TIMESTAMP '2011-01-01 00:00:00', NULL, true)",
    "INSERT INTO {dim_customer} VALUES (19, 'ended', 'France', TIMESTAMP '2011-01-01 00:00:00', NULL, false)",
    "UPDATE {dim_customer} SET valid_to = valid_to - INTERVAL 1 SECOND"
    " WHERE customer_id = 'mover' AND country = 'France'",
    "INSERT INTO {dim_customer} VALUES"
    " (20, 'same', 'France', TIMESTAMP '2011-01-01 00:00:00', TIMESTAMP '2011-01-02 00:00:00', false),"
    " (21, 'same', 'France', TIMESTAMP '2011-01-02 00:00:00', NULL, true)",
    "UPDATE {dim_date} SET weekday = 1 WHERE date_key = 20110102",
    "DELETE FROM {dim_date} WHERE date_key = 20110103",
    "INSERT INTO {dim_date} SELECT * FROM {dim_date} WHERE date_key = 20110104",
)
FACT_FAULTS = (
    "UPDATE {fact_order_lines} SET date_key = 20300101 WHERE order_id = 'rules' AND line_id = '1'",
    "UPDATE {fact_order_lines} SET customer_key = 5 WHERE order_id = 'rules' AND line_id = '2'",
    "UPDATE {fact_order_lines} SET product_key = 5 WHERE order_id = 'rules' AND line_id = '3'",
    "UPDATE {fact_order_lines} SET country_key = 5 WHERE order_id = 'rules' AND line_id = '4'",
    "UPDATE {fact_order_lines} SET amount = amount + 0.0001 WHERE order_id = 'rules' AND line_id = '5'",
    "UPDATE {fact_order_lines} SET customer_key = (SELECT max(customer_key) FROM {dim_customer}"
    " WHERE customer_id = 'mover' AND is_current) WHERE order_id = 'move-1'",
    "INSERT INTO {fact_order_lines} SELECT * FROM {fact_order_lines} WHERE order_id = 'rules' AND line_id = '6'",
    "DELETE FROM {fact_order_lines} WHERE order_id = 'rules' AND line_id = '7'",
    "UPDATE {fact_order_lines} SET quantity = quantity + 1, amount = amount + unit_price"
    " WHERE order_id = 'rules' AND line_id = '8'",
)


class Branch:
    """A lake of its own: a branch of every table, from an empty one on."""

    def __init__(self, main: Lake, name: str) -> None:
        self.lake = main.at(name)
        self.runs: list[str] = []
        for table in (ORDER_LINES, *STAR):
            main.spark.sql(f"ALTER TABLE {main.name(table)} CREATE BRANCH {name}")

    def load(self, path: Path) -> dict[str, Any]:
        """Bring lines in as a load does, and the star up to date; returns what was staged, by table."""
        spark, name = self.lake.spark, self.lake.name(ORDER_LINES)
        arrived = spark.read.schema(runtime.schema("order_line/1")).option("mode", "FAILFAST").json(str(path))
        first = f"min_by(struct({', '.join(arrived.columns)}), sequence_number) AS first"
        once = arrived.groupBy("source", "order_id", "line_id").agg(expr(first)).select("first.*")
        once.createOrReplaceTempView("arrived")
        spark.sql(
            f"MERGE INTO {name} AS t USING arrived AS s\n"
            "ON t.source = s.source AND t.order_id = s.order_id AND t.line_id = s.line_id\n"
            "WHEN MATCHED AND s.sequence_number < t.sequence_number THEN UPDATE SET *\n"
            "WHEN NOT MATCHED THEN INSERT *"
        )
        numbers = arrived.select("sequence_number").distinct()
        changed = self.lake.read(ORDER_LINES).join(numbers, "sequence_number", "left_semi").localCheckpoint()
        run = f"{self.lake.branch}-{len(self.runs)}"
        self.runs.append(run)
        self.staged = star.stage(self.lake, changed.select(runtime.schema("order_line/1").names), run)
        return {table: asdict(one) for table, one in self.staged.items()}

    def snapshots(self) -> dict[str, int]:
        """Where the branch is, by table of the star."""
        found = {}
        for table in STAR:
            name = self.lake.at(None).name(table)
            refs = self.lake.spark.table(f"{name}.refs").where(f"name = '{self.lake.branch}'")
            found[table] = refs.collect()[0].snapshot_id
        return found

    def back_to(self, snapshots: dict[str, int]) -> None:
        """Have the star as it was."""
        for table, snapshot in snapshots.items():
            name = self.lake.at(None).name(table)
            self.lake.spark.sql(
                f"ALTER TABLE {name} REPLACE BRANCH {self.lake.branch} AS OF VERSION {snapshot}"
            )

    def files(self) -> list[list[str]]:
        """Month and path of every file of facts."""
        frame = self.lake.read("sales.fact_order_lines").selectExpr(
            "date_format(ordered_at, 'yyyy-MM') AS m", "_file"
        )
        return sorted([row.m, row._file] for row in frame.distinct().collect())

    def faults(self, planted: Iterable[str]) -> list[dict[str, Any]]:
        """What the audit says of these changes; they are undone again."""
        before = self.snapshots()
        names = {table.removeprefix("sales."): self.lake.name(table) for table in STAR}
        for statement in planted:
            self.lake.spark.sql(statement.format(**names))
        found = [asdict(fault) for fault in star.faults(self.lake)]
        self.back_to(before)
        return found

    def digests(self) -> list[Any]:
        """The digests of the star, in order."""
        return sorted(rows(exported.digests(self.lake)), key=str)

    def exported(self, run: str, table: str) -> list[Any]:
        """The rows of a run's export."""
        folder = f"s3://{self.lake.settings.bucket}/{export.prefix(run)}{table}/"
        return rows(self.lake.spark.read.parquet(folder))


def odd_digests(lake: Lake, folder: Path) -> dict[str, list[Any]]:
    """The digests of rows that no load would make, by table."""
    known = catalog.load()
    found = {}
    for path in sorted(folder.glob("*.json")):
        table = known.warehouse_tables[path.stem]
        contract = known.contract_of(table)
        lake.spark.read.schema(runtime.schema(contract.title)).json(str(path)).createOrReplaceTempView(
            path.stem
        )
        # A view of the session has no database before its name.
        query = digest.query(path.stem, contract.struct.fields, table.identity, digest.SPARK)
        found[path.stem] = rows(lake.spark.sql(query))
    return found


def rows(frame: DataFrame) -> list[Any]:
    """The rows as documents, decimals as texts with all their digits."""
    texts = [
        f"CAST(`{name}` AS STRING) AS `{name}`" if type_.startswith("decimal") else f"`{name}`"
        for name, type_ in frame.dtypes
    ]
    options = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
    documents = frame.selectExpr(*texts).select(to_json(struct("*"), options).alias("document"))
    return [json.loads(row.document) for row in documents.collect()]


def main(folder: Path) -> None:
    """Do it, and write what came of it."""
    read = settings.load(SparkSettings)
    lake = Lake(runtime.session("star", read), read)
    lake.create()
    result: dict[str, Any] = {"odd": odd_digests(lake, folder / "odd")}
    branches = {path.name: Branch(lake, path.name) for path in sorted((folder / "loads").iterdir())}
    whole, parts = branches["whole"], branches["parts"]
    result["staged"] = [whole.load(folder / "loads" / "whole" / "0.json")]
    result["star"] = {table: rows(whole.lake.read(table)) for table in STAR}
    result["faults"] = [whole.faults(planted) for planted in ((), DIMENSION_FAULTS, FACT_FAULTS)]
    made = star.stage_export(whole.lake, whole.runs[0], whole.staged, "2026-11-27T05:00:00Z", None)
    result["document"] = made.as_json()
    result["whole"] = {
        table: whole.exported(whole.runs[0], table) for table in (*export.TABLES, export.DIGESTS)
    }
    result["files"] = [whole.files()]
    snapshots = whole.snapshots()
    result["staged"].append(whole.load(folder / "loads" / "whole" / "1.json"))
    result["kept"] = snapshots == whole.snapshots()
    result["staged"].append(whole.load(folder / "loads" / "whole" / "2.json"))
    result["files"].append(whole.files())
    for path in sorted((folder / "loads" / "parts").glob("*.json")):
        result["staged"].append(parts.load(path))
    result["parts"] = [parts.exported(run, "fact_order_lines") for run in parts.runs]
    result["digests"] = [whole.digests(), parts.digests()]
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    lake.spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
