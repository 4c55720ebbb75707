"""The real order lines as one Parquet file in the shape of the lake's `sales.order_lines`, for a job without a lake."""

from __future__ import annotations

import lzma
import shutil
import tempfile
from pathlib import Path

import duckdb

from deploy.local import retail


def write(file: Path, raw: Path = retail.DATA_FILE) -> int:
    """Write every line of the raw file; the columns are the lake's, without those that only the stream knows.

    Args:
        file: the Parquet file; one that is there is written over.

    Returns:
        how many lines.
    """
    with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
        plain = Path(temporary) / "raw.csv"
        with lzma.open(raw) as packed, plain.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
        part = Path(temporary) / "lines.parquet"
        with duckdb.connect(config={"memory_limit": "800MB", "threads": 2}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"COPY ({_LINES}) TO '{part}' (FORMAT parquet, COMPRESSION zstd)", [str(plain)]
            )
            found = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(part)]).fetchall()
        part.replace(file)
    return int(found[0][0])


_LINES = """
WITH lines AS (
  SELECT row_number() OVER () AS line, *, timezone('Europe/London', CAST(InvoiceDate AS TIMESTAMP)) AS moment
  FROM read_csv(?, header = true, all_varchar = true, quote = '"', escape = '"', parallel = false, strict_mode = true)
)
SELECT 'shop' AS source, InvoiceNo AS order_id,
  CAST(row_number() OVER (PARTITION BY InvoiceNo ORDER BY line) AS VARCHAR) AS line_id,
  CASE left(InvoiceNo, 1) WHEN 'C' THEN 'cancellation' WHEN 'A' THEN 'adjustment' ELSE 'sale' END AS kind,
  Customer AS customer_id, Country AS country, 'GBP' AS currency,
  min(moment) OVER (PARTITION BY InvoiceNo) AS order_ordered_at, moment AS ordered_at,
  StockCode AS stock_code, coalesce(Description, '') AS description,
  CAST(Quantity AS INTEGER) AS quantity, CAST(UnitPrice AS DECIMAL(18, 4)) AS unit_price
FROM lines ORDER BY line
"""
