"""The lake on this machine: Spark writes by branches, on Glue and S3, and DuckDB reads the same table."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import duckdb_ext

from tests import spark


async def test_a_branch_is_seen_when_it_is_published_and_no_other_may_overtake_it(
    aws_endpoint: str, namespace: str, tmp_path: Path
) -> None:
    result = await spark.run("branch_and_merge.py", aws_endpoint, namespace, tmp_path)

    first, merged = {"1": 1, "2": 1, "3": 1}, {"1": 1, "2": 7, "3": 1, "4": 7}
    assert result["before"] == [first, merged]
    assert (result["published"], result["after"]) == ("", merged)
    assert "not an ancestor" in result["too_late"]
    assert result["in_the_end"] == merged

    database = f"{namespace}_sales".replace("-", "_")
    table = await spark.glue_table(aws_endpoint, database, "order_lines")
    rows = read(aws_endpoint, table["Parameters"]["metadata_location"])
    assert {line_id: quantity for line_id, quantity, *_ in rows} == merged
    assert rows[0] == ("1", 1, Decimal("2.5500"), 1_291_191_960_000)


def read(url: str, metadata: str) -> list[tuple[object, ...]]:
    """The lines of the snapshot that this metadata says is the present one."""
    connection = duckdb.connect()
    duckdb_ext.init(connection)
    for extension in ("httpfs", "avro", "iceberg"):
        connection.load_extension(extension)
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'local', SECRET 'local', REGION 'us-east-1', URL_STYLE 'path', "
        f"USE_SSL false, ENDPOINT '{url.removeprefix('http://')}')"
    )
    return connection.execute(
        "SELECT line_id, quantity, unit_price, epoch_ms(ordered_at) FROM iceberg_scan(?) ORDER BY line_id",
        [metadata],
    ).fetchall()
