"""Orders and order files for the fault tests: seeded, of realistic sizes, with the content that must be stored."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Json = dict[str, Any]
_LONDON = ZoneInfo("Europe/London")
_COUNTRIES = ("United Kingdom", "France", "Germany", "EIRE", "Côte d'Ivoire", "Curaçao")
_WORDS = ("WHITE", "HANGING", "HEART", "T-LIGHT", "HOLDER", 'LANTERN "XL"', "SET OF 6", "CAFÉ", "RED, BLUE")


class Identity(NamedTuple):
    """The one identity of a line."""

    source: str
    order_id: str
    line_id: str


class Content(NamedTuple):
    """What a line says, with its order's header; the price compares as a number, the time is UTC milliseconds."""

    customer_id: str | None
    country: str
    currency: str
    kind: str
    stock_code: str
    description: str | None
    quantity: int
    unit_price: Decimal
    ordered_at: str


@dataclass(frozen=True, slots=True)
class HttpOrder:
    """One order as it is posted.

    Args:
        body: the JSON of the request.
        lines: what must be stored of it once it is acknowledged.
        valid: whether order_ingest must take it; otherwise it must refuse it for its content.
    """

    body: Json
    lines: dict[Identity, Content]
    valid: bool


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of an order file, with its end of line, and what must be stored of it once it is durable."""

    data: bytes
    identity: Identity
    content: Content


def http_orders(
    count: int, seed: int, source: str, prefix: str = "h", lines: int | None = None
) -> list[HttpOrder]:
    """Orders for `POST /v1/orders`; about one of fifty breaks the contract and must be refused.

    Args:
        lines: of each order, about 115 bytes a line in the stream; as in the shop's data where it is left out.
    """
    rng = random.Random(f"http {seed}")
    return [_http_order(rng, f"{prefix}{seed}-{number}", source, lines) for number in range(count)]


def _http_order(rng: random.Random, order_id: str, source: str, size: int | None) -> HttpOrder:
    instant = datetime(2011, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(300 * 86_400))
    customer = None if rng.random() < 0.25 else str(rng.randrange(12_000, 18_000))
    country, kind = rng.choice(_COUNTRIES), rng.choices(("sale", "cancellation", "adjustment"), (90, 9, 1))[0]
    valid = rng.random() >= 0.02
    lines: list[Json] = []
    contents: dict[Identity, Content] = {}
    for ordinal in range(1, (size or _size(rng)) + 1):
        stock_code, description, quantity, price = _article(rng)
        lines.append(
            {"stock_code": stock_code, "description": description, "quantity": quantity, "unit_price": price}
        )
        contents[Identity(source, order_id, str(ordinal))] = Content(
            customer, country, "GBP", kind, stock_code, description, quantity, Decimal(price), _wire(instant)
        )
    if not valid:
        lines[-1]["quantity"] = "many"
    body = {
        "order_id": order_id,
        "ordered_at": instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customer_id": customer,
        "country": country,
        "currency": "GBP",
        "kind": kind,
        "lines": lines,
    }
    return HttpOrder(body, contents, valid)


def order_files(line_count: int, file_count: int, seed: int, source: str) -> list[tuple[str, list[FileLine]]]:
    """Order files in the shop's CSV format: invoices run on from one file into the next.

    Returns:
        pairs of file name and lines, `line_count` lines in all.
    """
    rng = random.Random(f"files {seed}")
    rows = _rows(rng, line_count, seed)
    files: list[tuple[str, list[FileLine]]] = []
    for number in range(file_count):
        name, offset, lines = f"orders-{seed}-{number:03}.csv", 0, []
        start, end = line_count * number // file_count, line_count * (number + 1) // file_count
        for fields, order_id, content in rows[start:end]:
            data = _csv(fields)
            lines.append(FileLine(data, Identity(source, order_id, f"{name}:{offset}"), content))
            offset += len(data)
        files.append((name, lines))
    return files


def _rows(rng: random.Random, count: int, seed: int) -> list[tuple[list[str], str, Content]]:
    rows: list[tuple[list[str], str, Content]] = []
    invoice = 0
    while len(rows) < count:
        invoice += 1
        order_id = ("C" if rng.random() < 0.1 else "") + f"f{seed}-{invoice}"
        customer = None if rng.random() < 0.25 else str(rng.randrange(12_000, 18_000))
        country = rng.choice(_COUNTRIES)
        local = _opening_hours(rng)
        for _ in range(_size(rng)):
            if rng.random() < 0.02:
                local += timedelta(minutes=1)  # an invoice may have two times
            stock_code, description, quantity, price = _article(rng)
            instant = _wire(local.replace(tzinfo=_LONDON).astimezone(UTC))
            kind = "cancellation" if order_id.startswith("C") else "sale"
            content = Content(
                customer, country, "GBP", kind, stock_code, description, quantity, Decimal(price), instant
            )
            fields = [order_id, stock_code, description, str(quantity), f"{local:%Y-%m-%d %H:%M:%S}", price]
            rows.append(([*fields, customer or "", country], order_id, content))
    return rows[:count]


def _opening_hours(rng: random.Random) -> datetime:
    """A wall-clock time by day: an hour that exists once, whatever the clocks do at night."""
    day = datetime(2011, 1, 1)  # noqa: DTZ001 - the zone is given where it is converted
    return day + timedelta(days=rng.randrange(330), minutes=rng.randrange(8 * 60, 18 * 60))


def _csv(fields: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _size(rng: random.Random) -> int:
    """Lines of an order: 21 on average, most far smaller, some of hundreds, as in the shop's data."""
    return max(1, min(400, round(rng.lognormvariate(2.3, 1.2))))


def _article(rng: random.Random) -> tuple[str, str, int, str]:
    stock_code = f"{rng.randrange(10_000, 99_999)}{rng.choice(('', 'A', 'B'))}"
    description = " ".join(rng.choices(_WORDS, k=rng.randrange(0, 6)))
    quantity = rng.choice((1, 2, 6, 12, 48, -1, rng.randrange(1, 2000)))
    return stock_code, description, quantity, rng.choice(("2.55", "0", "0.001", "-11.20", "649.5", "7.9500"))


def _wire(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
