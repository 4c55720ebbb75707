"""The real input: every order line of a UK gift shop, read with the standard library alone.

Nothing here is shared with the services, so that what they stored can be judged by an independent reading.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

DATA_FILE = Path(__file__).resolve().parents[2] / "data" / "online_retail.csv.xz"
CURRENCY = "GBP"
LONDON = ZoneInfo("Europe/London")
HEADER = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Customer,Country\n"


class RetailLine(NamedTuple):
    """One line of the raw file.

    Args:
        row: place in the file, 0 for the first line after the header.
        customer_id: None for a guest.
        ordered_at: UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ`.
        unit_price: pounds, the text of the file.
        text: the bytes of the line with its line feed.
    """

    row: int
    invoice_no: str
    stock_code: str
    description: str
    quantity: int
    ordered_at: str
    unit_price: str
    customer_id: str | None
    country: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Invoice:
    """All lines of one invoice in the order of the file, also where other invoices stand between them."""

    invoice_no: str
    lines: list[RetailLine]

    @property
    def kind(self) -> str:
        """`cancellation`, `adjustment` or `sale`."""
        return kind_of(self.invoice_no)

    @property
    def ordered_at(self) -> str:
        """The time of the earliest line."""
        return min(line.ordered_at for line in self.lines)


class InvoiceSpan(NamedTuple):
    """Where an invoice ends in the file and when it began."""

    last_row: int
    first_time: str


def kind_of(invoice_no: str) -> str:
    """The kind of an invoice by its number: C cancels, A books an adjustment, all others are sales."""
    return {"C": "cancellation", "A": "adjustment"}.get(invoice_no[:1], "sale")


@lru_cache(maxsize=4096)
def utc(wall_clock: str) -> str:
    """The UTC time, in milliseconds, of a Europe/London wall clock such as `2010-12-01 08:26:00`."""
    local = datetime.fromisoformat(wall_clock).replace(tzinfo=LONDON)
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def texts(path: Path = DATA_FILE) -> Iterator[bytes]:
    """Every line of the file after the header, as bytes.

    Raises:
        ValueError: the file does not begin with the known header.
    """
    with lzma.open(path) as file:
        if file.readline() != HEADER:
            raise ValueError(f"{path} does not begin with the header {HEADER.decode().strip()}")
        yield from file


def lines(path: Path = DATA_FILE) -> Iterator[RetailLine]:
    """Every order line in the order of the file.

    Raises:
        ValueError: a line does not have eight fields or a number is none.
    """
    current = b""

    def decoded() -> Iterator[str]:
        nonlocal current
        for current in texts(path):
            yield current.decode()

    for row, fields in enumerate(csv.reader(decoded(), strict=True)):
        invoice_no, stock_code, description, quantity, time, unit_price, customer, country = fields
        yield RetailLine(
            row,
            invoice_no,
            stock_code,
            description,
            int(quantity),
            utc(time),
            unit_price,
            customer or None,
            country,
            current,
        )


def spans(path: Path = DATA_FILE) -> dict[str, InvoiceSpan]:
    """For every invoice its last row and its earliest time, in the order of first appearance."""
    found: dict[str, InvoiceSpan] = {}
    for line in lines(path):
        known = found.get(line.invoice_no)
        first_time = min(known.first_time, line.ordered_at) if known else line.ordered_at
        found[line.invoice_no] = InvoiceSpan(line.row, first_time)
    return found


def invoices(path: Path = DATA_FILE, index: dict[str, InvoiceSpan] | None = None) -> Iterator[Invoice]:
    """Every invoice once and whole, in the order of their last lines; holds only the open ones in memory.

    Args:
        index: what `spans` returned for the same file; read anew when absent.
    """
    ends = index if index is not None else spans(path)
    open_invoices: dict[str, list[RetailLine]] = {}
    for line in lines(path):
        open_invoices.setdefault(line.invoice_no, []).append(line)
        if ends[line.invoice_no].last_row == line.row:
            yield Invoice(line.invoice_no, open_invoices.pop(line.invoice_no))


def last_week_begins(index: dict[str, InvoiceSpan]) -> str:
    """Seven days before the newest invoice's first time; invoices from then on belong to the last week."""
    newest = max(span.first_time for span in index.values())
    begin = datetime.fromisoformat(newest) - timedelta(days=7)
    return begin.strftime("%Y-%m-%dT%H:%M:%S.000Z")
