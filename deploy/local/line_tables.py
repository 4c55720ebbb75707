"""Order lines as each place has them, side by side in one DuckDB: raw file, order store, lake, star and warehouse.

Shares nothing with the jobs that filled them. Each place becomes a table of the same columns, `LINE`, so that whoever
compares them needs to know of none. All texts, no key of the star: what a line says, whatever it is stored as.
"""

# ruff: noqa: S608 - what is put into a statement is a name or a constant of ours

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import aiohttp
import duckdb
import duckdb_ext
import psycopg
import pyarrow
from psycopg import sql

from deploy.local.figures import LineFacts
from deploy.local.ledger import Ledger
from deploy.local.stored import Parts, unite

IDENTITY = ("source", "order_id", "line_id")
CONTENT = (
    "stock_code",
    "description",
    "quantity",
    "unit_price",
    "amount",
    "ordered_ms",
    "customer_id",
    "country",
    "currency",
    "kind",
)
"""What a line says. The star keeps no description of a line: it is null there, and is not compared."""
LINE = (*IDENTITY, *CONTENT)
STAR = ("dim_country", "dim_customer", "dim_date", "dim_product", "fact_order_lines")

_AMOUNT = "CAST(quantity AS DECIMAL(10, 0)) * unit_price AS amount"
_EVERY_ROW = 4_611_686_018_427_387_904
"""A limit that is none. DuckDB's iceberg extension 1.4.4 loses rows where a condition is pushed down into its scan, and
nothing is pushed through a limit."""
_CHUNK_LINES = 50_000

StoredLine = tuple[tuple[str, str, str], LineFacts]
"""An identity, and what the line says."""


def connect(s3: str, folder: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that reads tables of the lake.

    Args:
        s3: URL of S3.
        folder: for what does not fit.
    """
    connection = duckdb.connect(
        config={"memory_limit": "1200MB", "threads": 2, "temp_directory": str(folder)}
    )
    duckdb_ext.init(connection)
    for extension in ("httpfs", "avro", "iceberg"):
        connection.load_extension(extension)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'local', SECRET 'local', REGION 'us-east-1', URL_STYLE 'path', "
        f"USE_SSL false, ENDPOINT '{s3.removeprefix('http://')}')"
    )
    return connection


def raw(connection: duckdb.DuckDBPyConnection, ledger: Ledger, file: Path, folder: Path) -> None:
    """Table `raw`: the lines of the raw file under the identities that the ledger says they were sent under.

    DuckDB's own reader and its own clock of London, not `retail`. One more column, `certain`: acknowledged, or durable
    in an order file; a line that is not may be stored and need not be.
    """
    plain = folder / "raw.csv"
    with lzma.open(file) as packed, plain.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    orders = [
        (one.source, one.order_id, one.outcome == "acknowledged")
        for one in ledger.orders.values()
        if one.outcome != "refused"
    ]
    in_files = {
        (ledger.file_sources[name], f"{name}:{line.offset}", line.row)
        for name, lines in ledger.files.items()
        for line in lines
    }
    _small(connection, "sent_order", {"source": str, "order_id": str, "certain": bool}, orders)
    _small(connection, "sent_line", {"source": str, "line_id": str, "line": int}, in_files)
    connection.execute(_RAW_FILE, [str(plain)])
    connection.execute(f"CREATE TABLE raw AS {_SENT.format(columns=_listed(CONTENT))}")
    plain.unlink()


_RAW_FILE = """
CREATE TABLE raw_file AS
SELECT row_number() OVER () - 1 AS line, InvoiceNo AS order_id, StockCode AS stock_code,
  coalesce(Description, '') AS description, CAST(Quantity AS INTEGER) AS quantity,
  CAST(UnitPrice AS DECIMAL(18, 4)) AS unit_price,
  epoch_ms(timezone('Europe/London', CAST(InvoiceDate AS TIMESTAMP))) AS ordered_ms,
  Customer AS customer_id, Country AS country, 'GBP' AS currency,
  CASE left(InvoiceNo, 1) WHEN 'C' THEN 'cancellation' WHEN 'A' THEN 'adjustment' ELSE 'sale' END AS kind
FROM read_csv(?, header = true, all_varchar = true, quote = '"', escape = '"', parallel = false, strict_mode = true)
"""
_SENT = f"""
WITH numbered AS (
  SELECT *, {_AMOUNT}, CAST(row_number() OVER (PARTITION BY order_id ORDER BY line) AS VARCHAR) AS ordinal
  FROM raw_file
)
SELECT o.source, n.order_id, n.ordinal AS line_id, {{columns}}, o.certain
FROM numbered n JOIN sent_order o USING (order_id)
UNION ALL
SELECT l.source, n.order_id, l.line_id, {{columns}}, true FROM numbered n JOIN sent_line l USING (line)
"""


def store(connection: duckdb.DuckDBPyConnection, parts: Parts) -> list[str]:
    """Table `store`: every line of the order store; empties `parts` on the way.

    Returns:
        what cannot be read or is there with two contents, as sentences.
    """
    faults: list[str] = []
    fill(connection, "store", _united(parts, faults))
    return faults


def fill(connection: duckdb.DuckDBPyConnection, table: str, found: Iterable[StoredLine]) -> None:
    """Make a table of these lines, with the columns `LINE`."""
    connection.execute(
        f"CREATE TABLE {table} (source VARCHAR, order_id VARCHAR, line_id VARCHAR, stock_code VARCHAR, "
        "description VARCHAR, quantity INTEGER, unit_price DECIMAL(18, 4), amount DECIMAL(28, 4), ordered_ms BIGINT, "
        "customer_id VARCHAR, country VARCHAR, currency VARCHAR, kind VARCHAR)"
    )
    names = (*IDENTITY, *LineFacts._fields)
    rows = ((*identity, *facts[:3], str(facts.unit_price), *facts[4:]) for identity, facts in found)
    while chunk := list(islice(rows, _CHUNK_LINES)):
        columns = dict(zip(names, map(list, zip(*chunk, strict=True)), strict=True))
        connection.register("chunk", pyarrow.table(columns))
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (ordered_at), "
            "CAST(quantity AS DECIMAL(10, 0)) * CAST(unit_price AS DECIMAL(18, 4)) AS amount, "
            "epoch_ms(CAST(ordered_at AS TIMESTAMPTZ)) AS ordered_ms FROM chunk"
        )
        connection.unregister("chunk")


def _united(parts: Parts, faults: list[str]) -> Iterator[StoredLine]:
    while parts:
        (source, order_id), held = parts.popitem()
        order = unite(source, order_id, held)
        faults += order.faults
        faults += [f"{source}/{order_id} line {line_id} has two contents" for line_id in order.conflicts]
        for line_id, facts in order.lines.items():
            yield (source, order_id, line_id), facts


async def read_lake(connection: duckdb.DuckDBPyConnection, glue: str, database: str) -> None:
    """Tables `lake_<name>`: what everybody sees of the lake's tables now.

    Args:
        glue: URL of the Glue Data Catalog, which says which snapshot that is.
        database: of the lake, in Glue.
    """
    for name in ("order_lines", "loaded_objects", *STAR):
        location = await metadata_location(glue, database, name)
        connection.execute(
            f"CREATE TABLE lake_{name} AS SELECT * FROM iceberg_scan(?) LIMIT {_EVERY_ROW}", [location]
        )


def read_warehouse(connection: duckdb.DuckDBPyConnection, url: str, schema: str, folder: Path) -> None:
    """Tables `warehouse_<name>` for each of `STAR`; the lake's, read before, say of which columns and types.

    Args:
        url: of the warehouse: PostgreSQL, in the place of Redshift.
    """
    with psycopg.connect(url) as opened:
        for name in STAR:
            file = folder / f"{name}.csv"
            _copy_out(opened, schema, name, file)
            connection.execute(f"CREATE TABLE warehouse_{name} AS FROM lake_{name} LIMIT 0")
            connection.execute(
                f"INSERT INTO warehouse_{name} BY NAME FROM read_csv(?, header = true, all_varchar = true, "
                "allow_quoted_nulls = false, quote = '\"', escape = '\"')",
                [str(file)],
            )
            file.unlink()


def lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `lake`, `star` and `warehouse`, made of those that were read: each order line as `LINE` has it."""
    columns = _listed(name if name != "amount" else _AMOUNT for name in LINE)
    connection.execute(
        f"CREATE TABLE lake AS SELECT {columns} FROM "
        "(SELECT *, epoch_ms(ordered_at) AS ordered_ms FROM lake_order_lines)"
    )
    connection.execute(f"CREATE TABLE star AS {_STAR_LINES.format(prefix='lake_')}")
    connection.execute(f"CREATE TABLE warehouse AS {_STAR_LINES.format(prefix='warehouse_')}")


def _copy_out(opened: psycopg.Connection, schema: str, name: str, file: Path) -> None:
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT csv, HEADER)").format(sql.Identifier(schema, name))
    with file.open("wb") as out, opened.cursor().copy(statement) as rows:
        for block in rows:
            out.write(block)


# A line whose product, country or day is not there says null for it; a customer's row must also hold at the time.
_STAR_LINES = """
SELECT f.source, f.order_id, f.line_id, p.stock_code, CAST(NULL AS VARCHAR) AS description, f.quantity, f.unit_price,
  f.amount, CASE WHEN d.day = CAST(f.ordered_at AS DATE) THEN epoch_ms(f.ordered_at) END AS ordered_ms,
  CASE WHEN f.ordered_at >= c.valid_from AND f.ordered_at < coalesce(c.valid_to, TIMESTAMPTZ 'infinity')
    THEN c.customer_id ELSE '(no row of dim_customer holds)' END AS customer_id,
  n.country, f.currency, f.kind
FROM {prefix}fact_order_lines f
LEFT JOIN {prefix}dim_product p USING (product_key) LEFT JOIN {prefix}dim_customer c USING (customer_key)
LEFT JOIN {prefix}dim_country n USING (country_key) LEFT JOIN {prefix}dim_date d USING (date_key)
"""


async def metadata_location(glue: str, database: str, table: str) -> str:
    """Where the metadata of the snapshot is that everybody sees now.

    Raises:
        RuntimeError: the catalog does not have this table.

    Source: https://docs.aws.amazon.com/glue/latest/webapi/API_GetTable.html
    """
    headers = {"X-Amz-Target": "AWSGlue.GetTable", "Content-Type": "application/x-amz-json-1.1"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(glue, json={"DatabaseName": database, "Name": table}, headers=headers) as answer,
    ):
        if answer.status != 200:
            raise RuntimeError(f"no table {database}.{table} in the catalog: {await answer.text()}")
        found = await answer.json(content_type=None)
    return str(found["Table"]["Parameters"]["metadata_location"])


def _small(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: dict[str, type],
    rows: Iterable[tuple[object, ...]],
) -> None:
    types = {str: pyarrow.string(), bool: pyarrow.bool_(), int: pyarrow.int64()}
    schema = pyarrow.schema([(column, types[kind]) for column, kind in columns.items()])
    listed = [dict(zip(columns, row, strict=True)) for row in rows]
    connection.register("rows", pyarrow.Table.from_pylist(listed, schema=schema))
    connection.execute(f"CREATE TABLE {name} AS FROM rows")
    connection.unregister("rows")


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns)
