"""Exports of a small star, written as the lake's job writes them; digests are worked out here, in Python."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from contracts import catalog, model
from services.kernel.adapters.s3 import S3
from spark_jobs.warehouse import export
from spark_jobs.warehouse.export import Export, ExportedTable

Rows = list[dict[str, Any]]
CATALOG = catalog.load()
PLACES = CATALOG.warehouse_tables
FIELDS = {name: CATALOG.contract_of(PLACES[name]).struct.fields for name in export.TABLES}
FACTS = "fact_order_lines"
START = datetime(2010, 12, 1, 8, 26, 0, 123_000, UTC)
_ARROW: Mapping[type, pa.DataType] = {
    model.String: pa.string(),
    model.Int32: pa.int32(),
    model.Int64: pa.int64(),
    model.Boolean: pa.bool_(),
    model.Date: pa.date32(),
    model.Timestamp: pa.timestamp("us", "UTC"),
}
_DIGESTS = pa.schema(
    [
        ("table_name", pa.string()),
        ("bucket", pa.string()),
        ("rows_count", pa.int64()),
        ("first_half", pa.decimal128(38, 0)),
        ("second_half", pa.decimal128(38, 0)),
    ]
)


@dataclass
class Star:
    """The lake's star, by table and by identity."""

    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(
        default_factory=lambda: {name: {} for name in export.TABLES}
    )

    def put(self, table: str, *rows: dict[str, Any]) -> Rows:
        """Add rows, or replace those of their identities; returns them."""
        for row in rows:
            self.tables[table][tuple(row[name] for name in PLACES[table].identity)] = row
        return list(rows)

    def rows(self, table: str) -> Rows:
        """All rows of a table."""
        return list(self.tables[table].values())


def schema(table: str) -> pa.Schema:
    """The columns of a table's files."""
    return pa.schema([pa.field(one.name, _arrow(one.type), nullable=not one.always) for one in FIELDS[table]])


def _arrow(type_: model.Type) -> pa.DataType:
    if isinstance(type_, model.Decimal):
        return pa.decimal128(type_.precision, type_.scale)
    return _ARROW[type(type_)]


def run_name(sequence: int) -> str:
    """The name of a run."""
    began = START + timedelta(days=sequence)
    return f"{sequence:09d}-{began:%Y%m%dT%H%M%SZ}-{sequence:08x}"


def fact(number: int, **other: Any) -> dict[str, Any]:
    """A line of an order; `number` is its identity, `other` are columns that are not the usual ones."""
    ordered_at = START + timedelta(minutes=number % 500_000)
    row: dict[str, Any] = {
        "source": "shop",
        "order_id": f"{536_365 + number // 20}",
        "line_id": f"orders-1.csv:{number * 70}",
        "date_key": int(f"{ordered_at:%Y%m%d}"),
        "customer_key": 12_431 + number % 5,
        "product_key": -(2**62) + number % 7,
        "country_key": 42,
        "kind": "sale",
        "currency": "GBP",
        "ordered_at": ordered_at,
        "quantity": 1 + number % 12,
        "unit_price": Decimal("2.5500"),
    } | other
    return row | {"amount": row["quantity"] * row["unit_price"]}


def customer(key: int, country: str | None, until: datetime | None = None) -> dict[str, Any]:
    """A customer in a country, from the start until another one."""
    return {
        "customer_key": key,
        "customer_id": str(key) if key else None,
        "country": country,
        "valid_from": START,
        "valid_to": until,
        "is_current": until is None,
    }


def day(number: int) -> dict[str, Any]:
    """The day so many days after the first."""
    at: date = (START + timedelta(days=number)).date()
    iso = at.isocalendar()
    return {
        "date_key": int(f"{at:%Y%m%d}"),
        "day": at,
        "year": at.year,
        "quarter": (at.month + 2) // 3,
        "month": at.month,
        "day_of_month": at.day,
        "iso_year": iso.year,
        "iso_week": iso.week,
        "weekday": iso.weekday,
        "is_weekend": iso.weekday > 5,
    }


def small(lines: int = 40) -> Star:
    """A star with something odd in it: texts that CSV has to quote, nulls, an empty text, a far amount."""
    star = Star()
    star.put("dim_country", {"country_key": 42, "country": 'Côte d\'Ivoire, "CI"\n'})
    star.put("dim_customer", customer(0, None), *(customer(12_431 + n, "EIRE") for n in range(5)))
    star.put("dim_date", *(day(n) for n in range(3)))
    described = [None, "", "T-LIGHT ☃ \\. HOLDER", "a,b", '"', " ", "x" * 900]
    star.put(
        "dim_product",
        *(
            {"product_key": -(2**62) + n, "stock_code": f"85123{n}", "description": text}
            for n, text in enumerate(described)
        ),
    )
    star.put(FACTS, *map(fact, range(lines)))
    star.put(FACTS, fact(lines, quantity=-(2**31), unit_price=Decimal("99999999999999.9999"), customer_key=0))
    return star


def digests(star: Star) -> Rows:
    """The digest of every table, as `spark_jobs.warehouse.digest` defines it."""
    found = []
    for table in export.TABLES:
        buckets: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        by_name = {one.name: one for one in FIELDS[table]}
        for row in star.rows(table):
            sums = buckets[_md5(row, [by_name[name] for name in PLACES[table].identity])[:3]]
            digest = _md5(row, FIELDS[table])
            for place, more in enumerate((1, int(digest[:15], 16), int(digest[15:30], 16))):
                sums[place] += more
        for bucket, (count, first, second) in sorted(buckets.items()):
            halves = {"first_half": Decimal(first), "second_half": Decimal(second)}
            found.append({"table_name": table, "bucket": bucket, "rows_count": count, **halves})
    return found


def _md5(row: Mapping[str, Any], fields: Iterable[model.Field]) -> str:
    texts = [_text(row[one.name]) for one in fields]
    joined = "".join("-" if text is None else f"{len(text)}:{text}" for text in texts)
    return hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case datetime():
            return str(round(value.timestamp() * 1000))
    return str(value)


def encode(rows: Sequence[Mapping[str, Any]], columns: pa.Schema, group_rows: int = 100_000) -> bytes:
    """Rows as one Parquet file.

    Args:
        group_rows: rows in one of its row groups.
    """
    sink = io.BytesIO()
    table = pa.Table.from_pydict({name: [row[name] for row in rows] for name in columns.names}, columns)
    parquet.write_table(table, sink, compression="zstd", store_schema=False, row_group_size=group_rows)
    return sink.getvalue()


async def write(
    s3: S3,
    bucket: str,
    star: Star,
    sequence: int,
    changed: Rows | None = None,
    files: int = 1,
    document: bool = True,
    digested: Star | None = None,
) -> Export:
    """Write the export of a run.

    Args:
        star: the lake after the run.
        changed: the facts that the run brought; None for an export of all rows.
        files: of each table.
        document: whether it becomes whole.
        digested: what the digests are of, when it is another star.
    """
    run = run_name(sequence)
    tables = {}
    for table in export.TABLES:
        facts_only = table == FACTS and changed is not None
        rows = changed or [] if facts_only else star.rows(table)
        prefix = f"{export.prefix(run)}{table}/"
        tables[table] = ExportedTable(prefix, not facts_only, len(rows), len(star.rows(table)))
        for part in range(files):
            if some := rows[part::files]:
                await s3.put(bucket, f"{prefix}part-{part}.parquet", encode(some, schema(table)))
    found = encode(digests(digested or star), _DIGESTS)
    await s3.put(bucket, f"{export.prefix(run)}{export.DIGESTS}/part-0.parquet", found)
    await s3.put(bucket, f"{export.prefix(run)}_SUCCESS", b"")
    published = (START + timedelta(days=sequence)).isoformat().replace("+00:00", "Z")
    after = run_name(sequence - 1) if changed is not None and sequence > 1 else None
    made = Export(run, published, tables, after)
    if document:
        await s3.put(bucket, export.document_key(run), made.as_json().encode())
    return made


def with_table(made: Export, table: str, **other: Any) -> Export:
    """An export that tells something else of a table."""
    return replace(made, tables={**made.tables, table: replace(made.tables[table], **other)})
