"""Takes documents into Parquet by the rendered schemas and into tables by the rendered columns, and reads them again.

Run by the Python that holds Spark: `load_schemas.py <folder>`; the folder holds `<contract>/<version>.json`, one
document a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.functions import struct, to_json

from contracts import catalog
from services.kernel.core import settings
from spark_jobs import runtime
from spark_jobs.settings import SparkSettings


def main(folder: Path) -> None:
    """Write, by contract and by table, what came back."""
    read = settings.load(SparkSettings)
    session = runtime.session("schemas", read)
    whole = catalog.load()
    result: dict[str, Any] = {"parquet": {}, "tables": {}}
    for path in sorted(folder.glob("*/*.json")):
        title = f"{path.parent.name}/{path.stem}"
        schema = runtime.schema(title)
        # Failing fast: a document that does not fit would else become a row of nulls.
        documents = session.read.schema(schema).option("mode", "FAILFAST").json(str(path))
        target = f"s3://{read.bucket}/{title}"
        documents.write.parquet(target)
        result["parquet"][title] = rows(session.read.schema(schema).parquet(target))
        for name, table in whole.lake_tables.items():
            if whole.contract_of(table).title == title:
                made = runtime.create(session, name, read)
                runtime.create(session, name, read)  # harmless where it is there
                documents.writeTo(made).append()
                result["tables"][name] = rows(session.table(made))
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    session.stop()


def rows(frame: DataFrame) -> list[Any]:
    """The rows as documents, decimals as texts with all their digits."""
    texts = [
        f"CAST(`{name}` AS STRING) AS `{name}`" if type_.startswith("decimal") else f"`{name}`"
        for name, type_ in frame.dtypes
    ]
    options = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
    whole = frame.selectExpr(*texts)
    documents = whole.select(to_json(struct("*"), options).alias("document"))
    return [json.loads(row.document) for row in documents.collect()]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
