"""The real order lines as landing objects, and more of them: the same shop again, with other customers, later.

Copy number n has the real orders under other order and customer numbers, n times COPY_DAYS later: as many countries and
articles, more months. Objects are lake_writer's own, by its columns and its encoder: one a shard and copy.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from contracts import catalog
from deploy.local import retail
from services.lake_writer import columns

LINES = 541_909
SHARDS = 16
COPY_DAYS = 374
"""From the first day of the data to the day after its last one."""
_CONTRACT = catalog.contract("order_line", 1)
_SCHEMA = columns.schema(_CONTRACT)
_TIMES = ("order_ordered_at", "ordered_at")
_HOUR = "2026-11-27T05"


def write(folder: Path, copies: int) -> list[Path]:
    """Write so many times the real data; the objects' files, below `folder` by their keys."""
    base = _real()
    return [path for copy in range(copies) for path in _objects(folder, _copy(base, copy), copy)]


def one_more_day(folder: Path, copies: int) -> list[Path]:
    """Write the day after: the lines of the real data's last day, as new orders of the newest customers."""
    base = _real()
    times = base.column("ordered_at")
    last = pc.floor_temporal(pc.max(times), unit="day")
    day = _copy(base.filter(pc.greater_equal(times, last)), copies - 1, "-day", timedelta(days=1))
    return _objects(folder, day, copies)


def _real() -> pa.Table:
    """The raw file as rows of `order_line/1`; the shard is the order's, the place in it the invoice's."""
    rows: dict[str, list[object]] = {name: [] for name in _SCHEMA.names}
    for number, invoice in enumerate(retail.invoices(), 1):
        for ordinal, line in enumerate(invoice.lines, 1):
            values: dict[str, object] = {
                "source": "shop",
                "order_id": invoice.invoice_no,
                "line_id": str(ordinal),
                "event_id": f"{number:032x}",
                "kind": invoice.kind,
                "customer_id": line.customer_id,
                "country": line.country,
                "currency": retail.CURRENCY,
                "order_ordered_at": invoice.ordered_at,
                "ordered_at": line.ordered_at,
                "ingested_at": f"{_HOUR}:00:00.000Z",
                "stock_code": line.stock_code,
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "arrived_at": f"{_HOUR}:00:00.000Z",
                "shard_id": f"shardId-{number % SHARDS:012}",
                "sequence_number": f"{number:056}",
                "sub_sequence": 0,
                "unknown": None,
            }
            for name, value in values.items():
                rows[name].append(value)
    return pa.table([columns.column(field.type, rows[field.name]) for field in _SCHEMA], schema=_SCHEMA)


def _copy(base: pa.Table, copy: int, suffix: str = "", later: timedelta = timedelta()) -> pa.Table:
    own = f"-{copy}" if copy else ""
    changed = {
        "order_id": pc.binary_join_element_wise(base.column("order_id"), own + suffix, ""),
        "customer_id": pc.binary_join_element_wise(base.column("customer_id"), own, ""),
        "sequence_number": pc.binary_replace_slice(
            base.column("sequence_number"), start=0, stop=10, replacement=f"{copy + bool(suffix):010}"
        ),
    }
    shift = pa.scalar(later + timedelta(days=COPY_DAYS * copy), pa.duration("ms"))
    changed |= {name: pc.add(base.column(name), shift) for name in _TIMES}
    for name, values in changed.items():
        base = base.set_column(base.schema.get_field_index(name), _SCHEMA.field(name), values)
    return base


def _objects(folder: Path, table: pa.Table, number: int) -> list[Path]:
    place = folder / "landing" / "orders" / "v1" / f"ingested_hour={_HOUR}"
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for shard in pc.unique(table.column("shard_id")).to_pylist():
        rows = table.filter(pc.equal(table.column("shard_id"), shard))
        positions = rows.column("sequence_number")
        first, last = pc.min(positions).as_py(), pc.max(positions).as_py()
        path = place / f"{shard}-{first}-0-{last}-0.parquet"
        if path.exists():
            raise AssertionError(f"{path} of copy {number} is there already")
        path.write_bytes(columns.encode(rows))
        written.append(path)
    return written
