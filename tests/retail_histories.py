"""The real orders as histories, read by DuckDB: an input that owes nothing to the lake or to Spark."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import csv

from deploy.local.retail import DATA_FILE
from spark_jobs.recommendations.ranking.histories import Articles, Histories, InProcess

# Nobody ordered between midnight and one o'clock, so London's day is the day in UTC.
_EVENTS = """
create or replace table lines as select
    InvoiceNo as invoice, StockCode as code, Description as text, Customer as customer, Country as country,
    InvoiceDate::timestamp as time, cast(InvoiceDate::timestamp as date) - date '1970-01-01' as day,
    Quantity::integer as units
from raw
where regexp_full_match(StockCode, '[0-9]{5}[A-Z]*') and UnitPrice::double > 0 and Quantity::integer <> 0
    and (InvoiceNo like 'C%' or InvoiceNo similar to '[0-9].*') and (InvoiceNo like 'C%') = (Quantity::integer < 0);

create or replace table articles as
select code, row_number() over (order by code) - 1 as number, text from (
    select code, text from lines where units > 0 group by code, text
    qualify row_number() over (partition by code order by count(*) desc, text) = 1);
"""

_CUSTOMERS = """
with orders as (
    select customer, invoice, dense_rank() over (partition by customer order by min(time), invoice) - 1 as number
    from lines where customer <> '' group by customer, invoice),
newest as (
    select customer, arg_max(country, (time, invoice)) as country from lines where customer <> '' group by customer)
select l.customer as customer, newest.country as country, a.number as article, min(l.day) as day,
    o.number as "order", sum(l.units) as units
from lines l join orders o using (customer, invoice) join articles a using (code) join newest using (customer)
group by all having sum(l.units) <> 0 order by customer, day, "order", article
"""

_BASKETS = """
select l.invoice as customer, min(l.country) as country, a.number as article, min(l.day) as day, 0 as "order",
    sum(l.units) as units
from lines l join articles a using (code) where l.units > 0
group by l.invoice, a.number order by customer, day, "order", article
"""


@dataclass(frozen=True)
class Retail:
    """The real data in the form that ranking takes.

    Args:
        histories: every customer, one row each.
        baskets: every order, guests' too, one row each.
    """

    histories: Histories
    baskets: Histories
    articles: Articles

    def blocks(self, size: int = 512) -> InProcess:
        """The customers in blocks."""
        return in_blocks(self.histories, size)

    def orders(self, size: int = 4096) -> InProcess:
        """The orders in blocks."""
        return in_blocks(self.baskets, size)


@lru_cache(maxsize=1)
def retail() -> Retail:
    """All of the real data, read once a process."""
    with lzma.open(DATA_FILE) as file:
        table = csv.read_csv(
            pa.py_buffer(file.read()),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={"InvoiceNo": "string", "StockCode": "string", "Customer": "string"},
                strings_can_be_null=False,
            ),
        )
    with duckdb.connect() as connection:
        connection.register("raw", table)
        connection.execute(_EVENTS)
        codes, texts = zip(
            *connection.execute("select code, nullif(text, '') from articles order by number").fetchall(),
            strict=True,
        )
        histories = _histories(connection.execute(_CUSTOMERS).fetchnumpy())
        baskets = _histories(connection.execute(_BASKETS).fetchnumpy())
    return Retail(histories, baskets, Articles(codes, texts))


def in_blocks(histories: Histories, size: int) -> InProcess:
    """Histories cut into blocks of at most so many customers."""
    return InProcess(
        histories.of(range(first, min(first + size, len(histories))))
        for first in range(0, len(histories), size)
    )


def _histories(columns: dict[str, Any]) -> Histories:
    customers, first = np.unique(columns["customer"].astype(np.str_), return_index=True)
    order = np.argsort(first)
    begins = first[order]
    return Histories(
        tuple(map(str, customers[order])),
        tuple(map(str, columns["country"][begins])),
        np.concatenate((begins, [len(columns["day"])])).astype(np.int64),
        *(np.asarray(columns[name], np.int32) for name in ("article", "day", "order", "units")),
    )
