"""The same load by Polars, on files: `python polars_star.py LANDING LAKE` prints the lake's lines and revenue.

Does what `duckdb_star.py` does. Standard library and Polars, nothing of ours: it runs in the peers' environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl

IDENTITY = ["source", "order_id", "line_id"]


def main() -> None:
    """Load what is new."""
    landing, lake = Path(sys.argv[1]), Path(sys.argv[2])
    lake.mkdir(parents=True, exist_ok=True)
    objects = lake / "loaded_objects.json"
    loaded = set(json.loads(objects.read_text())) if objects.exists() else set()
    new = sorted(str(path) for path in landing.rglob("*.parquet") if str(path) not in loaded)
    arrived = (
        pl.scan_parquet(new, hive_partitioning=False)
        .sort("sequence_number", "sub_sequence")
        .unique(IDENTITY, keep="first", maintain_order=True)
        .with_columns(month=pl.col("ordered_at").dt.strftime("%Y-%m"))
        .collect()
    )
    if loaded:
        orders = arrived["order_id"].unique().implode()
        known = _lines(lake).filter(pl.col("order_id").is_in(orders)).select(IDENTITY).collect()
        arrived = arrived.join(known, on=IDENTITY, how="anti")
    _write(arrived, lake / "order_lines", f"{len(loaded)}")
    del arrived
    lines = _lines(lake)
    customers = _customers(lines)
    dimensions = {
        "dim_country": lines.select("country").unique().collect(),
        "dim_date": lines.select(day=pl.col("ordered_at").dt.date()).unique().collect(),
        "dim_product": _products(lines),
        "dim_customer": customers,
    }
    for name, table in dimensions.items():
        table.write_parquet(lake / f"{name}.parquet", compression="zstd")
    facts = _facts(lines, customers)
    _write(facts, lake / "fact_order_lines", "0")
    objects.write_text(json.dumps(sorted({*loaded, *new})))
    print(json.dumps({"lines": facts.height, "revenue": str(facts["amount"].sum())}))


def _lines(lake: Path) -> pl.LazyFrame:
    return pl.scan_parquet(lake / "order_lines" / "*" / "*.parquet", hive_partitioning=False)


def _write(table: pl.DataFrame, folder: Path, name: str) -> None:
    """One file a month; one of the same name is written over."""
    for (month,), rows in table.partition_by("month", as_dict=True).items():
        place = folder / f"month={month}"
        place.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(place / f"{name}.parquet", compression="zstd")


def _products(lines: pl.LazyFrame) -> pl.DataFrame:
    return (
        lines.filter(pl.col("quantity") > 0)
        .select("stock_code", "ordered_at", text=pl.col("description").str.strip_chars())
        .group_by("stock_code", "text")
        .agg(lines=pl.len(), newest=pl.col("ordered_at").max())
        .sort("lines", "newest", "text", descending=[True, True, False])
        .group_by("stock_code", maintain_order=True)
        .agg(description=pl.col("text").first(), product_key=pl.col("stock_code").first().hash())
        .collect()
    )


def _customers(lines: pl.LazyFrame) -> pl.DataFrame:
    """A row for each run of one country."""
    return (
        lines.filter(pl.col("customer_id").is_not_null())
        .group_by("customer_id", "ordered_at")
        .agg(pl.col("country").min())
        .sort("customer_id", "ordered_at")
        .filter(
            (pl.col("country") != pl.col("country").shift().over("customer_id")).fill_null(
                value=True
            )  # a first row
        )
        .with_columns(
            valid_from=pl.col("ordered_at"),
            valid_to=pl.col("ordered_at").shift(-1).over("customer_id"),
            customer_key=pl.struct("customer_id", "ordered_at").hash(),
        )
        .collect()
    )


def _facts(lines: pl.LazyFrame, customers: pl.DataFrame) -> pl.DataFrame:
    keys = customers.lazy().select("customer_id", "customer_key", ordered_at="valid_from").sort("ordered_at")
    return (
        lines.sort("ordered_at")
        .join_asof(keys, on="ordered_at", by="customer_id", strategy="backward", check_sortedness=False)
        .select(
            *IDENTITY,
            "kind",
            "currency",
            "ordered_at",
            "quantity",
            "unit_price",
            "month",
            date_key=pl.col("ordered_at").dt.strftime("%Y%m%d").cast(pl.Int32),
            customer_key=pl.col("customer_key").fill_null(0),
            product_key=pl.col("stock_code").hash(),
            country_key=pl.col("country").hash(),
            amount=(pl.col("quantity").cast(pl.Decimal(10, 0)) * pl.col("unit_price")).cast(
                pl.Decimal(28, 4)
            ),
        )
        .collect()
    )


if __name__ == "__main__":
    main()
