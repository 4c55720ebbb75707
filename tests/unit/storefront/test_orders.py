"""Totals are exact, an order's document is the API's, and an order past the limit is refused before it unpacks."""

from __future__ import annotations

import json
import zlib
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts.order_union import union
from services.storefront import orders
from services.storefront.orders import OrderTooLarge, document, total

TIME = "2011-11-20T10:00:00.000Z"


def a_line(quantity: int, unit_price: str, line_id: str = "1") -> codec.OrderLine:
    return codec.OrderLine(
        line_id=line_id,
        stock_code="85123A",
        description=None,
        quantity=quantity,
        unit_price=unit_price,
        ordered_at=TIME,
    )


def test_a_total_keeps_the_places_that_the_prices_have() -> None:
    assert total([a_line(6, "2.55"), a_line(-1, "0.125", "2")]) == "15.175"
    assert total([a_line(3, "5")]) == "15"
    assert total([a_line(-1, "5.00"), a_line(1, "5", "2")]) == "0.00"
    assert total([a_line(0, "-11062.06")]) == "0.00"


PRICES = st.decimals("-99999999999999", "99999999999999", places=4, allow_nan=False)


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), PRICES), min_size=1, max_size=30))
def test_a_total_is_exact(lines: list[tuple[int, Decimal]]) -> None:
    exact = Context(prec=100)
    expected = Decimal(0)
    for quantity, price in lines:
        expected = exact.add(expected, exact.multiply(price, Decimal(quantity)))
    text = total([a_line(quantity, format(price, "f")) for quantity, price in lines])
    assert Decimal(text) == expected
    assert "E" not in text
    assert not (text.startswith("-") and expected == 0)


def test_a_total_of_twenty_thousand_largest_lines_is_exact() -> None:
    lines = [a_line(2**31 - 1, "99999999999999.9999")] * 20_000
    assert Decimal(total(lines)) == Decimal(20_000 * (2**31 - 1) * 999999999999999999).scaleb(
        -4, Context(prec=60)
    )


def test_the_document_has_the_apis_fields_and_only_these() -> None:
    order = codec.Order(
        order_id="1",
        source="shop",
        event_id="0" * 32,
        ordered_at=TIME,
        ingested_at=TIME,
        customer_id=None,
        country="</script><script>",
        currency="GBP",
        kind="sale",
        lines=[a_line(2, "1.50")],
    )
    assert json.loads(document(union([(1, order)]))) == {
        "order_id": "1",
        "source": "shop",
        "ordered_at": TIME,
        "kind": "sale",
        "customer_id": None,
        "country": "</script><script>",
        "currency": "GBP",
        "total": "3.00",
        "lines": [
            {
                "line_id": "1",
                "stock_code": "85123A",
                "description": None,
                "quantity": 2,
                "unit_price": "1.50",
                "ordered_at": TIME,
            }
        ],
    }


def test_a_body_that_unpacks_past_the_limit_is_stopped_there() -> None:
    bomb = zlib.compress(b" " * 5_000_000)
    with pytest.raises(OrderTooLarge):
        orders._unpacked(bomb, 1_000_000)
    assert len(orders._unpacked(bomb, 5_000_000)) == 5_000_000
