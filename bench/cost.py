"""Dollars per million orders at list price, by formula, with the sizes of the shop's real orders.

`python -m bench.cost` cuts and packs every invoice of the real data as the services do and prints each price with
the formula it comes from. List prices of us-east-1 as of November 2025; each has an option to replace it.

Source: https://aws.amazon.com/dynamodb/pricing/on-demand/ and https://aws.amazon.com/kinesis/data-streams/pricing/
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from bench import landing_cost, retail_orders
from bench.landing_cost import FIREHOSE_STEP_BYTES, Landing, LandingPrices
from contracts import codec
from services.dynamodb_writer import items
from services.kernel.adapters.dynamodb import Item
from services.kernel.streams.records import Record

GB = 1024**3
HOURS_A_MONTH = 730
RETENTION_DAYS = 7
PAGE_ORDERS = 20
_INDEX_OVERHEAD_BYTES = 100  # per item and index, counted as storage
_NUMBER_BYTES = 3


@dataclass(frozen=True)
class Prices:
    """Dollars, us-east-1."""

    write_unit_per_million: float = 0.625
    read_unit_per_million: float = 0.125
    table_gb_month: float = 0.25
    stream_in_gb: float = 0.08
    stream_out_gb: float = 0.04
    stream_hour: float = 0.04
    stream_extended_gb_month: float = 0.10
    shard_hour: float = 0.015
    shard_extended_hour: float = 0.02
    put_unit_per_million: float = 0.014


@dataclass(frozen=True)
class Sizes:
    """Means over the records of the real data.

    Args:
        record_kb: bytes in the stream, each record rounded up to 1 KB.
        write_units: of one PutItem into the table: item size in KB, rounded up.
        index_units: of the index: 1 for a customer's order, none for a guest's.
        read_units: of a strongly consistent Query of one order: item size in 4 KB, rounded up.
        put_units: of 25 KB.
        firehose_bytes: of a record as Firehose counts it.
        lines: of an order.
    """

    orders: int
    records: int
    record_bytes: float
    record_kb: float
    item_bytes: float
    entry_bytes: float
    write_units: float
    index_units: float
    read_units: float
    put_units: float
    firehose_bytes: float
    lines: float


def item_bytes(item: Item) -> int:
    """Size of an item as DynamoDB counts it: attribute names and values.

    Source: Item sizes and formats, Amazon DynamoDB Developer Guide.
    """
    return sum(
        len(name) + (_NUMBER_BYTES if "N" in value else len(next(iter(value.values()))))
        for name, value in item.items()
    )


def measured(count: int | None = None) -> Sizes:
    """Cut and pack the real invoices, the first `count` or all."""
    orders = retail_orders.records(count)
    data = [codec.encode(order) for order in orders]
    built = [
        items.item(Record("shardId-000000000000", 10**55, "", body, 0), order)
        for body, order in zip(data, orders, strict=True)
    ]
    sizes = [item_bytes(item) for item in built]
    entries = [_entry_bytes(item) for item in built]
    mean = statistics.mean
    count_of_orders = len({(order.source, order.order_id) for order in orders})
    return Sizes(
        orders=count_of_orders,
        records=len(orders),
        record_bytes=mean(map(len, data)),
        record_kb=mean(math.ceil(len(body) / 1024) for body in data),
        item_bytes=mean(sizes),
        entry_bytes=mean(entries),
        write_units=mean(math.ceil(size / 1024) for size in sizes),
        index_units=mean(math.ceil(entry / 1024) for entry in entries),
        read_units=mean(math.ceil(size / 4096) for size in sizes),
        put_units=mean(math.ceil(len(body) / 25_600) for body in data),
        firehose_bytes=mean(
            math.ceil(len(body) / FIREHOSE_STEP_BYTES) * FIREHOSE_STEP_BYTES for body in data
        ),
        lines=sum(len(order.lines) for order in orders) / count_of_orders,
    )


def _entry_bytes(item: Item) -> int:
    if "customer_id" not in item:
        return 0
    return item_bytes({name: item[name] for name in ("customer_id", "customer_sort", "order_id", "part")})


def dollars(sizes: Sizes, prices: Prices) -> list[tuple[str, float, str]]:
    """What a million orders cost: name, dollars, formula. Records per order come in by their measured share."""
    share = sizes.records / sizes.orders
    write = share * (sizes.write_units + sizes.index_units) * prices.write_unit_per_million
    stored_bytes = share * (sizes.item_bytes + sizes.entry_bytes + 2 * _INDEX_OVERHEAD_BYTES)
    stored = stored_bytes * 1e6 / GB * prices.table_gb_month
    read = share * sizes.read_units * prices.read_unit_per_million
    entries_read = math.ceil(PAGE_ORDERS * max(sizes.entry_bytes, 1) / 4096) * 0.5
    page = (PAGE_ORDERS * share * sizes.read_units + entries_read) * prices.read_unit_per_million
    stream_gb = share * sizes.record_kb * 1024 * 1e6 / GB
    kept = stream_gb * (RETENTION_DAYS - 1) / 30 * prices.stream_extended_gb_month
    return [
        (
            "Kinesis, on demand: put",
            stream_gb * prices.stream_in_gb,
            f"records x ceil(KB) in GB = {stream_gb:.2f} x ${prices.stream_in_gb}",
        ),
        (
            "Kinesis, on demand: read by one consumer",
            stream_gb * prices.stream_out_gb,
            f"{stream_gb:.2f} GB x ${prices.stream_out_gb}",
        ),
        (
            "Kinesis, on demand: kept 7 days",
            kept,
            f"{stream_gb:.2f} GB x {RETENTION_DAYS - 1}/30 month x ${prices.stream_extended_gb_month}",
        ),
        (
            "Kinesis, provisioned: put",
            share * sizes.put_units * prices.put_unit_per_million,
            f"{share * sizes.put_units:.3f} units of 25 KB x ${prices.put_unit_per_million} / million",
        ),
        (
            "DynamoDB: write",
            write,
            f"({sizes.write_units:.2f} WRU table + {sizes.index_units:.2f} WRU index) x {share:.3f} records "
            f"x ${prices.write_unit_per_million} / million",
        ),
        (
            "DynamoDB: stored, a month",
            stored,
            f"{stored_bytes:.0f} bytes an order x ${prices.table_gb_month} a GB",
        ),
        (
            "DynamoDB: a million orders read by number",
            read,
            f"{sizes.read_units:.2f} RRU x {share:.3f} x ${prices.read_unit_per_million} / million",
        ),
        (
            f"DynamoDB: a million pages of {PAGE_ORDERS}",
            page,
            f"({PAGE_ORDERS} orders x {sizes.read_units:.2f} RRU + {entries_read} RRU index) "
            f"x ${prices.read_unit_per_million} / million",
        ),
    ]


_T = TypeVar("_T", Prices, LandingPrices, Landing)


def _given(of: type[_T], options: argparse.Namespace) -> _T:
    return of(**{field.name: getattr(options, field.name) for field in fields(of)})


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--orders", type=int, default=None, help="only the first so many invoices")
    parser.add_argument("--json", action="store_true")
    for given in (Prices, LandingPrices, Landing):
        for field in fields(given):
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    options = parser.parse_args()
    prices, landing_prices = _given(Prices, options), _given(LandingPrices, options)
    landing = _given(Landing, options)
    sizes = measured(options.orders)
    rows = dollars(sizes, prices)
    share = sizes.records / sizes.orders
    rows += landing_cost.dollars(sizes.firehose_bytes, sizes.lines, share, landing_prices, landing)
    standing = {
        "one stream on demand, a month": prices.stream_hour * HOURS_A_MONTH,
        "one provisioned shard with 7 days, a month": (prices.shard_hour + prices.shard_extended_hour)
        * HOURS_A_MONTH,
        **landing_cost.standing(landing_prices, landing),
    }
    through = rows[0][1] + rows[1][1] + rows[2][1] + rows[4][1]
    if options.json:
        result = {
            "sizes": asdict(sizes),
            "dollars_per_million_orders": {name: cost for name, cost, _ in rows},
            "through_once": through,
            "standing": standing,
        }
        print(json.dumps(result))
        return 0
    print(
        f"{sizes.orders} orders in {sizes.records} records; means: record {sizes.record_bytes:.0f} bytes, "
        f"item {sizes.item_bytes:.0f} bytes\n"
    )
    print(f"{'dollars per million orders':44}{'$':>8}  formula")
    for name, cost, formula in rows:
        print(f"{name:44}{cost:8.3f}  {formula}")
    print(f"{'through once: put, read, kept, written':44}{through:8.3f}  on-demand stream and table")
    for name, cost in standing.items():
        print(f"{name:44}{cost:8.2f}  whatever passes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
