"""The star and its digests in plain Python, written from the rules and not from the jobs: what tests expect."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.model import Boolean, Date, Field, Timestamp

Row = dict[str, Any]


def lines(arrived: Iterable[Row]) -> list[Row]:
    """One line of each identity: the one of the smallest position."""
    kept: dict[tuple[str, ...], Row] = {}
    for line in sorted(arrived, key=lambda one: (one["sequence_number"], one["sub_sequence"])):
        kept.setdefault((line["source"], line["order_id"], line["line_id"]), line)
    return list(kept.values())


def customers(kept: Sequence[Row]) -> list[Row]:
    """Customers' rows without their keys, in order."""
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for line in kept:
        if line["customer_id"] is not None:
            theirs, at, country = seen[line["customer_id"]], line["ordered_at"], line["country"]
            theirs[at] = min(theirs.get(at, country), country)
    made = []
    for customer_id, countries in sorted(seen.items()):
        instants = sorted(countries)
        starts = [at for n, at in enumerate(instants) if not n or countries[at] != countries[instants[n - 1]]]
        for at, end in zip(starts, [*starts[1:], None], strict=True):
            made.append(
                {
                    "customer_id": customer_id,
                    "country": countries[at],
                    "valid_from": at,
                    "valid_to": end,
                    "is_current": end is None,
                }
            )
    return made


def products(kept: Sequence[Row]) -> dict[str, str | None]:
    """Each article's text."""
    texts: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for line in kept:
        texts[line["stock_code"]][(line["description"] or "").strip(" \t\n\r\u00a0")].append(line)

    def rank(item: tuple[str, list[Row]]) -> Any:
        text, given = item
        sales = [
            one
            for one in given
            if one["kind"] == "sale" and one["quantity"] > 0 and Decimal(one["unit_price"]) > 0
        ]
        last = max(_milliseconds(one["ordered_at"]) for one in given)
        last_sale = max((_milliseconds(one["ordered_at"]) for one in sales), default=0)
        return not text, -len(sales), -last_sale, -len(given), -last, text

    return {code: min(found.items(), key=rank)[0] or None for code, found in texts.items()}


def dates(kept: Sequence[Row]) -> list[Row]:
    """Every day of the calendar."""
    days = [date.fromisoformat(line["ordered_at"][:10]) for line in kept]
    made = []
    for number in range((max(days) - min(days)).days + 1):
        day = min(days) + timedelta(number)
        iso = day.isocalendar()
        made.append(
            {
                "date_key": int(f"{day:%Y%m%d}"),
                "day": str(day),
                "year": day.year,
                "quarter": (day.month + 2) // 3,
                "month": day.month,
                "day_of_month": day.day,
                "iso_year": iso.year,
                "iso_week": iso.week,
                "weekday": iso.weekday,
                "is_weekend": iso.weekday >= 6,
            }
        )
    return made


def facts(kept: Sequence[Row]) -> list[Row]:
    """Facts with what their keys stand for in the keys' place, in the order of their identities."""
    rows = customers(kept)
    made = []
    for line in kept:
        at = line["ordered_at"]
        holds = [
            (row["customer_id"], row["valid_from"])
            for row in rows
            if row["customer_id"] == line["customer_id"]
            and row["valid_from"] <= at
            and (row["valid_to"] is None or at < row["valid_to"])
        ]
        amount = Decimal(line["unit_price"]) * line["quantity"] + Decimal(0)  # no zero below zero
        made.append(
            {
                **{name: line[name] for name in ("source", "order_id", "line_id", "kind", "currency")},
                "date_key": int(at[:10].replace("-", "")),
                "customer": holds[0] if holds else (None, "1970-01-01T00:00:00.000Z"),
                "product": line["stock_code"],
                "country": line["country"],
                "ordered_at": at,
                "quantity": line["quantity"],
                "unit_price": line["unit_price"],
                "amount": f"{amount:.4f}",
            }
        )
    return sorted(made, key=identity)


def identity(row: Row) -> tuple[str, str, str]:
    """Of a line or a fact."""
    return row["source"], row["order_id"], row["line_id"]


def digest(
    rows: Iterable[Row], fields: Sequence[Field], keys: Sequence[str]
) -> dict[str, tuple[int, int, int]]:
    """By bucket: rows, and the sums of the two halves of their digests.

    Args:
        rows: by column, values as contracts write them, decimals with all their digits.
        keys: the columns of the identity.
    """
    named = {field.name: field for field in fields}
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        hexadecimal = _md5(_text(named[name], row[name]) for name in named)
        bucket = _md5(_text(named[name], row[name]) for name in keys)[:3]
        sums[bucket].update(n=1, first=int(hexadecimal[:15], 16), second=int(hexadecimal[15:30], 16))
    return {bucket: (one["n"], one["first"], one["second"]) for bucket, one in sums.items()}


def _text(field: Field, value: Any) -> str:
    if value is None:
        return "-"
    match field.type:
        case Boolean():
            text = "t" if value else "f"
        case Timestamp():
            text = str(_milliseconds(value))
        case Date():
            text = value
        case _:
            text = str(value)
    return f"{len(text)}:{text}"


def _milliseconds(instant: str) -> int:
    since = datetime.fromisoformat(instant.replace("Z", "+00:00")) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def _md5(texts: Iterable[str]) -> str:
    return hashlib.md5("".join(texts).encode(), usedforsecurity=False).hexdigest()
