"""Order lines for tests of questions: a few that are nasty, and the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from deploy.local import retail
from tests.sales_lake import Line

HOSTILE = '<script>alert("1")</script> \x1b[31m\u202e & \'; DROP TABLE x; --'
"""As a text of an article: in no output may it be more than a text."""
COUNTRY = "Côte d'Ivoire"


def real() -> list[Line]:
    """Every line of the real file, read without the platform."""
    # Few times and prices stand on many lines: each is read once.
    moment, price = cache(datetime.fromisoformat), cache(Decimal)
    return [
        Line(
            "shop-files",
            line.invoice_no,
            str(line.row),
            retail.kind_of(line.invoice_no),
            line.customer_id,
            line.country,
            retail.CURRENCY,
            moment(line.ordered_at),
            line.stock_code,
            line.description or None,
            line.quantity,
            price(line.unit_price),
        )
        for line in retail.lines()
    ]


def nasty() -> list[Line]:
    """Lines of which each is there for a mistake that it would show.

    Two currencies, one order number of two senders, guests, a customer who moves and moves back, cancellations without
    a sale, write-offs, adjustments, prices of four digits and sums beyond what a float holds, days and weeks at the
    turn of a year, texts that are null, padded, or meant to break out.
    """
    return list(_lines())


def _lines() -> Iterator[Line]:
    # The turn of the year: of the same ISO week, of two years and months.
    yield _line("1", "1", "2010-12-31T23:59:59.999Z", "A", 3, "2.5500", customer="c1", country="France")
    yield _line("1", "2", "2010-12-31T23:59:59.999Z", "B", 1, "0.0001", customer="c1", country="France")
    yield _line("2", "1", "2011-01-01T00:00:00.000Z", "A", 2, "2.5500", customer="c1", country="France")
    yield _line("3", "1", "2011-01-03T00:00:00.000Z", "A", 1, "2.1000", customer="c1", country=COUNTRY)
    yield _line("4", "1", "2011-03-15T08:00:00.000Z", "B", 10, "0.1000", customer="c1", country="France")
    # The same number of another sender, in another currency, on the same day.
    yield _line(
        "4", "1", "2011-03-15T09:00:00.000Z", "B", 10, "0.3000", source="other", currency="EUR", customer="c2"
    )
    yield _line(
        "4", "2", "2011-03-15T09:00:00.000Z", "C", 1, "7.0000", source="other", currency="EUR", customer="c2"
    )
    # A guest, and twice the same article on one order.
    yield _line("5", "1", "2011-03-31T22:30:00.000Z", "A", 1, "1.0000")
    yield _line("5", "2", "2011-03-31T22:30:00.000Z", "A", 4, "1.0000")
    yield _line("5", "3", "2011-03-31T22:30:00.000Z", "D", 1, "1.0000", description=HOSTILE)
    # Cancellations, one of what was never sold.
    yield _line("C6", "1", "2011-03-31T23:59:00.000Z", "A", -2, "2.5500", kind="cancellation", customer="c1")
    yield _line("C7", "1", "2011-04-01T00:00:00.000Z", "E", -7, "99.9999", kind="cancellation", customer="c3")
    # A write-off without a price, and books that are put right.
    yield _line("8", "1", "2011-04-02T06:00:00.000Z", "A", -50, "0.0000", description=None)
    yield _line(
        "A9", "1", "2011-04-03T12:00:00.000Z", "B1", 1, "-11062.0600", kind="adjustment", description="Adjust"
    )
    # Beyond 2^53 in ten thousandths: a float would lose the last digits.
    yield _line("10", "1", "2011-04-04T01:00:00.000Z", "C", 2_000_000_000, "99999999999.9999", customer="c3")
    yield _line(
        "10", "2", "2011-04-04T01:00:00.000Z", "A", 1, "0.0001", customer="c3", description="  padded "
    )
    # Days on end, at hours that a file's first and last line do not tell of.
    for day in range(5, 29):
        customer = f"c{day % 7}"
        at = f"2011-05-{day:02}T{(day * 5) % 24:02}:30:00.000Z"
        yield _line(f"20{day}", "1", at, "A", day, "1.2345", customer=customer, country="Germany")
        yield _line(
            f"20{day}", "2", at, "B" if day % 2 else "C", 1, "3.3333", customer=customer, country="Germany"
        )
        if day % 3 == 0:
            yield _line(
                f"C30{day}",
                "1",
                at,
                "A",
                -day,
                "1.2345",
                kind="cancellation",
                customer=customer,
                country="Germany",
            )


def _line(
    order: str,
    line: str,
    at: str,
    code: str,
    quantity: int,
    price: str,
    *,
    source: str = "shop",
    kind: str = "sale",
    customer: str | None = None,
    country: str = "United Kingdom",
    currency: str = "GBP",
    description: str | None = "a thing",
) -> Line:
    text = f"{description} {code}" if description == "a thing" else description
    ordered_at = datetime.fromisoformat(at).astimezone(UTC)
    return Line(
        source,
        order,
        line,
        kind,
        customer,
        country,
        currency,
        ordered_at,
        code,
        text,
        quantity,
        Decimal(price),
    )
