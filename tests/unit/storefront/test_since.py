"""What was bought since a time: sold, not sent back, by this customer, within the bounds of one look."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import codec
from contracts.order_union import UnitedOrder, union
from services.kernel.core.errors import TimedOut
from services.storefront.guard import Guard
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderTooLarge
from services.storefront.since import MAX_ENTRIES, MAX_ORDERS, Since, bought
from tests.orders import a_line, one_part

SINCE = "2011-11-20T10:00:00.000Z"
BEFORE = "2011-11-20T09:59:59.999Z"


def an_order(*lines: codec.OrderLine, **header: Any) -> UnitedOrder[codec.OrderLine]:
    return union([(1, one_part(header.pop("order_id", "1"), list(lines), **header))])


def test_a_sale_from_that_moment_on_counts_and_one_before_does_not() -> None:
    order = an_order(
        a_line("1", stock_code="A", ordered_at=SINCE), a_line("2", stock_code="B", ordered_at=BEFORE)
    )
    assert bought([order], "17850", SINCE) == {"A"}


def test_what_was_sent_back_since_is_not_kept() -> None:
    sold = an_order(a_line("1", stock_code="A", quantity=6), a_line("2", stock_code="B", quantity=6))
    back = an_order(
        a_line("1", stock_code="A", quantity=-6),
        a_line("2", stock_code="B", quantity=-5),
        kind="cancellation",
    )
    assert bought([sold, back], "17850", SINCE) == bought([back, sold], "17850", SINCE) == {"B"}


@pytest.mark.parametrize(
    ("quantity", "header"),
    [(6, {"customer_id": "other"}), (6, {"kind": "adjustment"}), (-6, {}), (6, {"kind": "cancellation"})],
)
def test_whatever_is_no_sale_to_this_customer_does_not_count(quantity: int, header: dict[str, Any]) -> None:
    assert bought([an_order(a_line(quantity=quantity), **header)], "17850", SINCE) == frozenset()


class FakeReader:
    """An index and orders in memory; of each order its one article is its number."""

    def __init__(self, entries: list[str], more: bool = False) -> None:
        self.index, self.more = entries, more
        self.asked: list[str] = []

    async def entries_since(self, customer_id: str, since: str, limit: int) -> tuple[list[str], bool]:
        assert (customer_id, since, limit) == ("17850", SINCE, MAX_ENTRIES)
        return self.index, self.more

    async def united(self, order_id: str, source: str) -> list[UnitedOrder[codec.OrderLine]]:
        self.asked.append(order_id)
        if order_id == "large":
            raise OrderTooLarge
        return [an_order(a_line(stock_code=order_id), order_id=order_id)] if order_id != "gone" else []


def looks(reader: FakeReader, metrics: StorefrontMetrics) -> Since:
    return Since(reader, Guard("order_history", 5.0), metrics)  # type: ignore[arg-type]


def cut(metrics: StorefrontMetrics) -> float:
    return metrics.registry.get_sample_value("cadabra_storefront_since_cut_total") or 0


async def test_an_order_of_many_parts_is_read_once_and_one_that_is_gone_is_none() -> None:
    metrics = StorefrontMetrics(process=False)
    reader = FakeReader([f"{SINCE}#shop#1", f"{SINCE}#shop#1", f"{SINCE}#shop#gone"])
    assert await looks(reader, metrics).bought("17850", SINCE) == {"1"}
    assert sorted(reader.asked) == ["1", "gone"]
    assert cut(metrics) == 0


@pytest.mark.parametrize(
    ("entries", "more", "read"),
    [
        ([f"{SINCE}#shop#{at}" for at in range(MAX_ORDERS + 5)], False, MAX_ORDERS),
        ([f"{SINCE}#shop#1"], True, 1),
        ([f"{SINCE}#shop#large"], False, 1),
    ],
)
async def test_a_look_is_bounded_and_one_that_is_cut_is_counted(
    entries: list[str], more: bool, read: int
) -> None:
    metrics = StorefrontMetrics(process=False)
    reader = FakeReader(entries, more)
    found = await looks(reader, metrics).bought("17850", SINCE)
    assert len(reader.asked) == read
    assert found == {code for code in reader.asked if code != "large"}
    assert cut(metrics) == 1


async def test_a_store_that_is_away_is_told_as_such() -> None:
    class Away(FakeReader):
        async def entries_since(self, customer_id: str, since: str, limit: int) -> tuple[list[str], bool]:
            raise TimedOut("query")

    with pytest.raises(TimedOut):
        await looks(Away([]), StorefrontMetrics(process=False)).bought("17850", SINCE)
