"""The same load by DuckDB, on files: `python duckdb_star.py LANDING LAKE` prints the lake's lines and revenue.

Takes the landing objects that LAKE does not know yet, each line once, adds them to `order_lines` by month, and writes
the star anew. Standard library and DuckDB, nothing of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

MEMORY = "2000MB"
_WRITTEN = "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (month), {0})"
_NEW = """
CREATE TEMP TABLE arrived AS
SELECT *, strftime(ordered_at, '%Y-%m') AS month FROM read_parquet(?)
QUALIFY row_number() OVER (PARTITION BY source, order_id, line_id ORDER BY sequence_number, sub_sequence) = 1
"""
_KNOWN = """
DELETE FROM arrived WHERE (source, order_id, line_id) IN (
  SELECT (source, order_id, line_id) FROM read_parquet(?)
  SEMI JOIN (SELECT DISTINCT order_id FROM arrived) USING (order_id))
"""
_DIMENSIONS = {
    "dim_country": "SELECT DISTINCT hash(country) AS country_key, country FROM lines",
    "dim_date": "SELECT DISTINCT CAST(strftime(ordered_at, '%Y%m%d') AS INTEGER) AS date_key, "
    "CAST(ordered_at AS DATE) AS day FROM lines",
    "dim_product": """
SELECT hash(stock_code) AS product_key, stock_code,
  first(text ORDER BY lines DESC, newest DESC, text) AS description
FROM (SELECT stock_code, trim(description) AS text, count(*) AS lines, max(ordered_at) AS newest
  FROM lines WHERE quantity > 0 GROUP BY ALL) GROUP BY ALL""",
    "dim_customer": """
WITH seen AS (
  SELECT customer_id, ordered_at, min(country) AS country FROM lines WHERE customer_id IS NOT NULL GROUP BY ALL
), turns AS (
  SELECT *, lag(country) OVER (PARTITION BY customer_id ORDER BY ordered_at) IS DISTINCT FROM country AS turn FROM seen
)
SELECT hash(customer_id, ordered_at) AS customer_key, customer_id, country, ordered_at AS valid_from,
  lead(ordered_at) OVER (PARTITION BY customer_id ORDER BY ordered_at) AS valid_to
FROM turns WHERE turn""",
}
_FACTS = """
SELECT l.source, l.order_id, l.line_id, CAST(strftime(l.ordered_at, '%Y%m%d') AS INTEGER) AS date_key,
  coalesce(c.customer_key, 0) AS customer_key, hash(l.stock_code) AS product_key, hash(l.country) AS country_key,
  l.kind, l.currency, l.ordered_at, l.quantity, l.unit_price,
  CAST(l.quantity AS DECIMAL(10, 0)) * l.unit_price AS amount, l.month
FROM lines l ASOF LEFT JOIN dim_customer c ON l.customer_id = c.customer_id AND l.ordered_at >= c.valid_from
"""


def main() -> None:
    """Load what is new."""
    landing, lake = Path(sys.argv[1]), Path(sys.argv[2])
    objects, memory = lake / "loaded_objects.json", lake / "spilled"
    loaded = set(json.loads(objects.read_text())) if objects.exists() else set()
    new = sorted(str(path) for path in landing.rglob("*.parquet") if str(path) not in loaded)
    memory.mkdir(parents=True, exist_ok=True)
    config = {"threads": 2, "memory_limit": MEMORY, "temp_directory": str(memory)}
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    kept = str(lake / "order_lines" / "*" / "*.parquet")
    connection.execute(_NEW, [new])
    if loaded:
        connection.execute(_KNOWN, [kept])
    _write(connection, "FROM arrived", lake / "order_lines", "APPEND true")
    connection.execute(f"CREATE VIEW lines AS FROM read_parquet('{kept}', hive_partitioning = true)")
    for name, query in _DIMENSIONS.items():
        connection.execute(f"CREATE TABLE {name} AS {query}")
        connection.execute(f"COPY {name} TO '{lake / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    _write(connection, _FACTS, lake / "fact_order_lines", "OVERWRITE true")
    objects.write_text(json.dumps(sorted({*loaded, *new})))
    facts = str(lake / "fact_order_lines" / "*" / "*.parquet")
    found = connection.execute("SELECT count(*), sum(amount) FROM read_parquet(?)", [facts]).fetchall()
    print(json.dumps({"lines": found[0][0], "revenue": str(found[0][1])}))


def _write(connection: duckdb.DuckDBPyConnection, query: str, folder: Path, how: str) -> None:
    connection.execute(f"COPY ({query}) TO '{folder}' {_WRITTEN.format(how)}")


if __name__ == "__main__":
    main()
