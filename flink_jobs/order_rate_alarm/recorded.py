"""Reads recorded orders from a file with the columns of the data set, plain or compressed with xz.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, Customer, Country. A row is one line of
an order; the date is the wall clock of the shop.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.order import kind_of_invoice

COLUMNS = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "Customer",
    "Country",
]
SHOP_TIME_ZONE = "Europe/London"
SHOP_CURRENCY = "GBP"


class WrongFile(ValueError):
    """The file does not have the columns, or a row of it cannot be read; the message says which."""


class RecordedOrder(NamedTuple):
    """One order as a whole.

    Args:
        ordered_at_ms: time of its earliest line, UTC, milliseconds since 1970.
        value: quantity times price over all its lines, in the shop's currency.
        kind: `sale`, `cancellation` or `adjustment`.
    """

    ordered_at_ms: int
    order_id: str
    country: str
    value: float
    kind: str


def read(path: Path, time_zone: str = SHOP_TIME_ZONE) -> list[RecordedOrder]:
    """Every order of a file, earliest first; orders of one time stand as in the file.

    Raises:
        WrongFile: it is no such file.
        OSError: it cannot be read.
    """
    instant = _instants(time_zone)
    found: dict[str, tuple[int, str, float]] = {}
    for invoice, country, at_ms, value in _rows(path, instant):
        known = found.get(invoice)
        if known is None:
            found[invoice] = (at_ms, country, value)
        else:
            found[invoice] = (min(known[0], at_ms), known[1], known[2] + value)
    orders = [
        RecordedOrder(at, invoice, country, value, kind_of_invoice(invoice, 1))
        for invoice, (at, country, value) in found.items()
    ]
    return sorted(orders, key=lambda order: order.ordered_at_ms)


def _rows(path: Path, instant: Callable[[str], int]) -> Iterator[tuple[str, str, int, float]]:
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file, strict=True)
        if next(rows, None) != COLUMNS:
            raise WrongFile(f"{path} does not begin with the columns {', '.join(COLUMNS)}")
        try:
            for row in rows:
                invoice, _, _, quantity, time, price, _, country = row
                yield invoice, country, instant(time), int(quantity) * float(price)
        except (ValueError, csv.Error) as error:
            raise WrongFile(f"{path}, line {rows.line_num}: {error}") from error


def _instants(time_zone: str) -> Callable[[str], int]:
    zone = ZoneInfo(time_zone)

    @lru_cache(maxsize=4096)
    def instant(wall_clock: str) -> int:
        return int(datetime.fromisoformat(wall_clock).replace(tzinfo=zone).timestamp() * 1000)

    return instant
