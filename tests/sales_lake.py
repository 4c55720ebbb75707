"""A lake of sales as the warehouse job leaves it, written without Spark: tables by their contracts, on Glue and S3.

The star is made here by rules of its own, plain and slow, so that what is asked of it can be judged by another reading.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import duckdb
import duckdb_ext
import pyarrow as pa
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from contracts import catalog as contracts_catalog
from contracts import model

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = re.compile(r"months\((\w+)\)")
_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Line:
    """One order line, as a test states it.

    Args:
        ordered_at: with its time zone.
    """

    source: str
    order_id: str
    line_id: str
    kind: str
    customer_id: str | None
    country: str
    currency: str
    ordered_at: datetime
    stock_code: str
    description: str | None
    quantity: int
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """Exact."""
        return self.quantity * self.unit_price

    @property
    def order(self) -> tuple[str, str]:
        """Which order it is of."""
        return self.source, self.order_id

    @property
    def day(self) -> date:
        """In UTC."""
        return self.ordered_at.astimezone(UTC).date()


class SalesLake:
    """A namespace's tables.

    Args:
        url: of S3 and Glue.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.namespace = namespace
        self.bucket = f"{namespace}-lake"
        self.database = f"{namespace}_sales".replace("-", "_")
        keys = {"access-key-id": "local", "secret-access-key": "local", "region": _REGION, "endpoint": url}
        self._catalog = GlueCatalog(
            "lake",
            warehouse=f"s3://{self.bucket}/warehouse",
            **{f"{service}.{key}": value for service in ("glue", "s3") for key, value in keys.items()},
        )
        self._contracts = contracts_catalog.load()

    def write(self, lines: Sequence[Line]) -> None:
        """Make every table that questions read, with these lines in them."""
        s3 = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        s3.create_bucket(Bucket=self.bucket)
        self._catalog.create_namespace(self.database)
        for name, rows in {**star(lines), "order_lines": map(_order_line, lines)}.items():
            self.append(name, rows)

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows into a table, which is made where it is not there."""
        table = self._table(name)
        columns = table.schema().as_arrow()
        table.append(pa.Table.from_pylist(list(rows), schema=_plain(columns)).cast(columns))

    def metadata(self, name: str) -> str:
        """Where the metadata of a table's present snapshot is."""
        return str(self._catalog.load_table(f"{self.database}.{name}").metadata_location)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB of the test's own that may read the lake, in UTC."""
        connection = duckdb.connect()
        duckdb_ext.init(connection)
        for extension in ("httpfs", "avro", "iceberg"):
            connection.load_extension(extension)
        connection.execute(
            "CREATE SECRET (TYPE s3, KEY_ID 'local', SECRET 'local', REGION 'us-east-1', URL_STYLE 'path', "
            f"USE_SSL false, ENDPOINT '{self.url.removeprefix('http://')}')"
        )
        return connection

    def _table(self, name: str) -> Table:
        place = self._contracts.lake_tables[f"sales.{name}"]
        fields = self._contracts.contract_of(place).struct.fields
        schema = Schema(
            *(
                NestedField(number, field.name, _type(field.type), required=field.always)
                for number, field in enumerate(fields, 1)
            )
        )
        return self._catalog.create_table_if_not_exists(
            f"{self.database}.{name}", schema, partition_spec=_spec(place.partition, schema)
        )


def star(lines: Sequence[Line]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the star's tables."""
    customers = _customers(lines)
    products: dict[str, str | None] = {}
    for line in sorted(lines, key=lambda line: (line.ordered_at, line.line_id)):
        text = (line.description or "").strip() or None
        products[line.stock_code] = products.get(line.stock_code) or text
    days = sorted({line.day for line in lines})
    calendar = [days[0] + timedelta(number) for number in range((days[-1] - days[0]).days + 1)]
    return {
        "dim_country": [
            {"country_key": key(name), "country": name} for name in sorted({line.country for line in lines})
        ],
        "dim_customer": [_guest(), *itertools.chain.from_iterable(customers.values())],
        "dim_date": [_day(day) for day in calendar],
        "dim_product": [
            {"product_key": key(code), "stock_code": code, "description": text}
            for code, text in sorted(products.items())
        ],
        "fact_order_lines": [_fact(line, customers) for line in lines],
    }


def key(*parts: object) -> int:
    """A key of a dimension; never 0."""
    text = "\x1f".join(map(str, parts)).encode()
    return (zlib.crc32(text) << 31 | zlib.adler32(text) >> 1) + 1


def _customers(lines: Sequence[Line]) -> dict[str, list[dict[str, Any]]]:
    """Each customer's rows in order of time, one for each stay in a country."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in sorted(lines, key=lambda line: (line.ordered_at, line.country)):
        if line.customer_id is None:
            continue
        rows = found.setdefault(line.customer_id, [])
        if rows and rows[-1]["country"] == line.country:
            continue
        if rows:
            rows[-1] |= {"valid_to": line.ordered_at, "is_current": False}
        rows.append(
            {
                "customer_key": key(line.customer_id, line.ordered_at.isoformat(), line.country),
                "customer_id": line.customer_id,
                "country": line.country,
                "valid_from": line.ordered_at,
                "valid_to": None,
                "is_current": True,
            }
        )
    return found


def _fact(line: Line, customers: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = customers[line.customer_id] if line.customer_id is not None else [_guest()]
    held = [row for row in rows if row["valid_from"] <= line.ordered_at]
    return {
        "source": line.source,
        "order_id": line.order_id,
        "line_id": line.line_id,
        "date_key": _number(line.day),
        "customer_key": held[-1]["customer_key"],
        "product_key": key(line.stock_code),
        "country_key": key(line.country),
        "kind": line.kind,
        "currency": line.currency,
        "ordered_at": line.ordered_at,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "amount": line.amount,
    }


def _guest() -> dict[str, Any]:
    return {
        "customer_key": 0,
        "customer_id": None,
        "country": None,
        "valid_from": EPOCH,
        "valid_to": None,
        "is_current": True,
    }


def _number(day: date) -> int:
    return int(day.strftime("%Y%m%d"))


def _day(day: date) -> dict[str, Any]:
    iso = day.isocalendar()
    return {
        "date_key": _number(day),
        "day": day,
        "year": day.year,
        "quarter": (day.month + 2) // 3,
        "month": day.month,
        "day_of_month": day.day,
        "iso_year": iso.year,
        "iso_week": iso.week,
        "weekday": iso.weekday,
        "is_weekend": iso.weekday > 5,
    }


def _order_line(line: Line) -> dict[str, Any]:
    return {
        "source": line.source,
        "order_id": line.order_id,
        "line_id": line.line_id,
        "event_id": "0" * 32,
        "kind": line.kind,
        "customer_id": line.customer_id,
        "country": line.country,
        "currency": line.currency,
        "order_ordered_at": line.ordered_at,
        "ordered_at": line.ordered_at,
        "ingested_at": line.ordered_at,
        "stock_code": line.stock_code,
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "arrived_at": line.ordered_at,
        "shard_id": "shardId-000000000000",
        "sequence_number": "0" * 56,
        "sub_sequence": 0,
        "unknown": None,
    }


def _type(kind: object) -> IcebergType:
    if isinstance(kind, model.Decimal):
        return DecimalType(kind.precision, kind.scale)
    plain: dict[type, IcebergType] = {
        model.String: StringType(),
        model.Int32: IntegerType(),
        model.Int64: LongType(),
        model.Boolean: BooleanType(),
        model.Date: DateType(),
        model.Timestamp: TimestamptzType(),
    }
    return plain[type(kind)]


def _spec(partition: str | None, schema: Schema) -> PartitionSpec:
    match = _MONTHS.fullmatch(partition or "")
    if match is None:
        assert partition is None
        return UNPARTITIONED_PARTITION_SPEC
    column = schema.find_field(match[1]).field_id
    return PartitionSpec(PartitionField(column, 1000, MonthTransform(), f"{match[1]}_month"))


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, field.type) for field in schema])
