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
from functools import cache
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
        ordered_at: in UTC.
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
        return self.ordered_at.date()


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
        for name, columns in {**star(lines), "order_lines": _order_lines(lines)}.items():
            self.append(name, columns)

    def append(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write rows into a table, which is made where it is not there."""
        table = self._table(name)
        schema = table.schema().as_arrow()
        made: dict[int, pa.Array] = {}  # what two columns share is made once
        arrays = []
        for field in schema:
            values = columns[field.name]
            if id(values) not in made:
                made[id(values)] = pa.array(values, field.type)
            arrays.append(made[id(values)])
        table.append(pa.Table.from_arrays(arrays, schema=schema))

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


def star(lines: Sequence[Line]) -> dict[str, dict[str, list[Any]]]:
    """Columns of the star's tables."""
    customers = _customers(lines)
    days = sorted({line.day for line in lines})
    calendar = [days[0] + timedelta(number) for number in range((days[-1] - days[0]).days + 1)]
    return {
        "dim_country": _columns(
            {"country_key": key(name), "country": name} for name in sorted({line.country for line in lines})
        ),
        "dim_customer": _columns([_guest(), *itertools.chain.from_iterable(customers.values())]),
        "dim_date": _columns(map(_day, calendar)),
        "dim_product": _columns(
            {"product_key": key(code), "stock_code": code, "description": text}
            for code, text in sorted(descriptions(lines).items())
        ),
        "fact_order_lines": _facts(lines, customers),
    }


def descriptions(lines: Iterable[Line]) -> dict[str, str | None]:
    """Each article's text: the first one that it ever had."""
    found: dict[str, str | None] = {}
    for line in sorted(lines, key=lambda line: (line.ordered_at, line.line_id)):
        if found.get(line.stock_code) is None:
            found[line.stock_code] = (line.description or "").strip() or None
    return found


@cache
def key(*parts: object) -> int:
    """A key of a dimension; never 0."""
    text = "\x1f".join(map(str, parts)).encode()
    return (zlib.crc32(text) << 31 | zlib.adler32(text) >> 1) + 1


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    listed = list(rows)
    return {name: [row[name] for row in listed] for name in listed[0]}


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


def _facts(lines: Sequence[Line], customers: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[Any]]:
    return {
        **_shared(lines),
        "date_key": [_number(line.day) for line in lines],
        "customer_key": [_customer_key(line, customers) for line in lines],
        "product_key": [key(line.stock_code) for line in lines],
        "country_key": [key(line.country) for line in lines],
        "amount": [line.amount for line in lines],
    }


def _customer_key(line: Line, customers: Mapping[str, list[dict[str, Any]]]) -> int:
    if line.customer_id is None:
        return 0
    rows = customers[line.customer_id]
    held = [row for row in rows if row["valid_from"] <= line.ordered_at] if len(rows) > 1 else rows
    return int(held[-1]["customer_key"])


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
    return day.year * 10_000 + day.month * 100 + day.day


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


def _order_lines(lines: Sequence[Line]) -> dict[str, list[Any]]:
    shared, count = _shared(lines), len(lines)
    times = dict.fromkeys(("order_ordered_at", "ingested_at", "arrived_at"), shared["ordered_at"])
    return {
        **shared,
        **times,
        **{
            name: [getattr(line, name) for line in lines]
            for name in ("customer_id", "country", "stock_code", "description")
        },
        "event_id": ["0" * 32] * count,
        "shard_id": ["shardId-000000000000"] * count,
        "sequence_number": ["0" * 56] * count,
        "sub_sequence": [0] * count,
        "unknown": [None] * count,
    }


def _shared(lines: Sequence[Line]) -> dict[str, list[Any]]:
    """Columns of the lines that are columns of the facts too."""
    names = ("source", "order_id", "line_id", "kind", "currency", "ordered_at", "quantity", "unit_price")
    return {name: [getattr(line, name) for line in lines] for name in names}


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
