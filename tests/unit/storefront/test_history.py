"""Pages of any history, read to the end: every order once, newest first, nothing lost at a page's edge."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.storefront.history import MAX_ENTRIES, MAX_PAGE_BYTES, History
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import StoredOrder

CUSTOMER = "17850"
TIMES = [f"2011-11-20T10:00:0{second}.000Z" for second in range(6)]


class FakeReader:
    """An index and orders in memory; `sizes` gives a document's length in bytes."""

    def __init__(self, orders: dict[str, list[str]], foreign: set[str] = frozenset(), size: int = 10) -> None:  # type: ignore[assignment]
        self.size = size
        self.foreign = foreign
        self.times = orders
        keys = [f"{time}#shop#{order_id}" for order_id, times in orders.items() for time in times]
        self.index = sorted(keys, reverse=True)
        self.loaded = 0

    async def entries(
        self, customer_id: str, before: str | None, limit: int, start_key: Any
    ) -> tuple[list[str], Any]:
        below = [key for key in self.index if before is None or key < before]
        at = start_key["at"] if start_key else 0
        rest = below[at : at + limit]
        return rest, {"at": at + limit} if at + limit < len(below) else None

    async def orders(self, order_id: str, source: str | None = None) -> list[StoredOrder]:
        self.loaded += 1
        owner = "somebody" if order_id in self.foreign else CUSTOMER
        document = json.dumps(order_id.ljust(self.size)).encode()
        listed = {CUSTOMER: min(self.times[order_id])}
        return [StoredOrder("shop", order_id, owner, listed, document)]


def read_all(reader: FakeReader, limit: int) -> list[list[str]]:
    async def read() -> list[list[str]]:
        history = History(reader, StorefrontMetrics())  # type: ignore[arg-type]
        pages, after = [], None
        while True:
            page = await history.page(CUSTOMER, limit, after)
            pages.append([json.loads(document).strip() for document in page.orders])
            after = page.after
            if after is None:
                return pages

    return asyncio.run(read())


ORDERS = st.dictionaries(
    st.integers(1, 40).map(str), st.lists(st.sampled_from(TIMES), min_size=1, max_size=4), max_size=15
)


@given(ORDERS, st.integers(1, 5), st.sets(st.integers(1, 40).map(str), max_size=3))
def test_every_own_order_once_newest_first(
    orders: dict[str, list[str]], limit: int, foreign: set[str]
) -> None:
    pages = read_all(FakeReader(orders, foreign), limit)
    own = [order_id for order_id in orders if order_id not in foreign]
    expected = sorted(own, key=lambda order_id: (min(orders[order_id]), order_id), reverse=True)
    assert [order_id for page in pages for order_id in page] == expected
    assert all(len(page) <= limit for page in pages)


def test_orders_of_one_moment_fill_pages_without_a_gap() -> None:
    orders = {f"{number:03}": [TIMES[0]] for number in range(50)}
    pages = read_all(FakeReader(orders), 7)
    assert [len(page) for page in pages] == [7] * 7 + [1]


def test_a_full_last_page_has_no_next_one() -> None:
    assert [len(page) for page in read_all(FakeReader({str(n): [TIMES[0]] for n in range(6)}), 3)] == [3, 3]


def test_a_page_ends_before_a_mebibyte_but_holds_one_order() -> None:
    orders = {str(number): [TIMES[number]] for number in range(5)}
    assert [len(page) for page in read_all(FakeReader(orders, size=300_000), 100)] == [3, 2]
    assert [len(page) for page in read_all(FakeReader(orders, size=2 * MAX_PAGE_BYTES), 100)] == [1] * 5


def test_the_work_of_one_request_is_bounded_and_nothing_is_lost_by_it() -> None:
    """An order in very many parts at different times, which only its earliest entry shows."""
    times = [f"2011-11-20T10:{at // 60:02}:{at % 60:02}.000Z" for at in range(2 * MAX_ENTRIES + 500)]
    reader = FakeReader({"1": times, "2": [TIMES[0]]})
    pages = read_all(reader, 20)
    assert [order for page in pages for order in page] == ["2", "1"]
    assert len(pages) == 3
