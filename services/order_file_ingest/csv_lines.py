"""One physical line of an order file into one order line, or into the reason why it is none.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, Customer, Country. Times are wall-clock
times of Europe/London, money is GBP.
"""

from __future__ import annotations

import csv
import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.codec import Kind, OrderLine
from contracts.order import kind_of_invoice
from contracts.scalars import decimal_check, timestamp
from services.kernel.core.errors import Detail, InvalidRecord
from services.kernel.tail.lines import Line

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "Customer",
    "Country",
)
HEADER = ",".join(COLUMNS)
CURRENCY = "GBP"
LONDON = ZoneInfo("Europe/London")
MAX_DESCRIPTION = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_INT32 = range(-(2**31), 2**31)

_is_identifier = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
_is_word = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}").fullmatch
_is_whole = re.compile(r"-?[0-9]{1,10}").fullmatch
_is_wall_clock = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}").fullmatch
_is_price = decimal_check(18, 4)


class Row(NamedTuple):
    """An order line with what the order that it belongs to is said to be.

    Args:
        customer_id: None for a guest.
        kind: by the invoice number's first letter.
    """

    order_id: str
    customer_id: str | None
    country: str
    kind: Kind
    line: OrderLine

    @property
    def part_key(self) -> tuple[str, str, str | None, str]:
        """Lines that follow one another with the same one may travel in one part of an order."""
        return (self.order_id, self.line.ordered_at, self.customer_id, self.country)


def parse(line: Line, file_name: str) -> Row | None:
    """Reads one line.

    Args:
        file_name: first half of the line's identity; the second is its offset.

    Returns:
        None for what is no order line by design: an empty line, and the header as the first line of a file.

    Raises:
        InvalidRecord: it belongs into `rejected`: line_too_long, invalid_encoding, csv_malformed (not eight fields,
            quotes that do not pair up) or contract_violation (with the pointer of every wrong column).
    """
    fields = _fields(line)
    if not fields:
        return None
    invoice, stock_code, description, quantity, wall_clock, unit_price, customer, country = fields
    ordered_at = _utc(wall_clock)
    if (
        ordered_at is None
        or not (
            _is_identifier(invoice) and _is_word(stock_code) and _is_whole(quantity) and _is_word(country)
        )
        or (amount := int(quantity)) not in _INT32
        or not _is_price(unit_price)
        or (customer and not _is_identifier(customer))
        or len(description) > MAX_DESCRIPTION
        or "\0" in description
    ):
        raise InvalidRecord("contract_violation", "a column is not as the format says", _faults(fields))
    order_line = OrderLine(
        line_id=f"{file_name}:{line.offset}",
        stock_code=stock_code,
        description=description,
        quantity=amount,
        unit_price=unit_price,
        ordered_at=ordered_at,
    )
    return Row(invoice, customer or None, country, kind_of_invoice(invoice, amount), order_line)


def _fields(line: Line) -> list[str]:
    """The eight fields; none for an empty line and for the header."""
    if line.too_long:
        raise InvalidRecord(
            "line_too_long", f"{line.size_bytes} bytes; the first {len(line.text)} are kept", ()
        )
    data = line.text
    if data.endswith(b"\r"):
        data = data[:-1]
    if line.offset == 0 and data.startswith(_BYTE_ORDER_MARK):
        data = data[len(_BYTE_ORDER_MARK) :]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecord("invalid_encoding", f"not UTF-8 at byte {error.start} of the line") from None
    if not text or (line.offset == 0 and text == HEADER):
        return []
    fields = _quoted_fields(text) if '"' in text else text.split(",")
    if len(fields) != len(COLUMNS):
        raise InvalidRecord("csv_malformed", f"{len(fields)} fields instead of {len(COLUMNS)}")
    return fields


def _quoted_fields(text: str) -> list[str]:
    # A newline inside quotes cannot occur: a physical line is a record, or an unbalanced one is malformed.
    if "\r" in text:
        raise InvalidRecord("csv_malformed", "a carriage return inside the line")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        raise InvalidRecord("csv_malformed", "quotes that do not pair up") from None


@lru_cache(maxsize=65_536)
def _utc(wall_clock: str) -> str | None:
    """The instant of a London wall-clock time, the first one of the hour that comes twice; None if there is none."""
    if not _is_wall_clock(wall_clock):
        return None
    try:
        naive = datetime.fromisoformat(wall_clock)
        instant = timestamp(naive.replace(tzinfo=LONDON, fold=0))
        returned = datetime.fromisoformat(instant).astimezone(LONDON).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return instant if returned == naive else None


def _faults(fields: list[str]) -> list[Detail]:
    invoice, stock_code, description, quantity, wall_clock, unit_price, customer, country = fields
    whole = _is_whole(quantity) and int(quantity) in _INT32
    identifier = "not a letter or digit followed by at most 63 of letters, digits, '.', '_', ':', '-'"
    word = "not 1 to 64 characters without control characters"
    checks = (
        (_is_identifier(invoice), identifier),
        (_is_word(stock_code), word),
        (len(description) <= MAX_DESCRIPTION and "\0" not in description, "over 1000 characters, or a NUL"),
        (whole, "not a whole number of 32 bits"),
        (_utc(wall_clock), "not a time YYYY-MM-DD HH:MM:SS that exists in Europe/London"),
        (_is_price(unit_price), "not a decimal with at most 14 digits before and 4 after the point"),
        (not customer or _is_identifier(customer), identifier),
        (_is_word(country), word),
    )
    return [
        Detail(f"/{column}", reason)
        for column, (holds, reason) in zip(COLUMNS, checks, strict=True)
        if not holds
    ]
